// SPDX-License-Identifier: Apache-2.0
// Rules and readings of tests.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "collector/response/engine.h"
#include "collector/response/rules_config.h"

namespace heapledger::collector::response {

inline Rules RulesFrom(const std::string& text) {
  const auto rules = ParseRules(text, "test");
  EXPECT_TRUE(rules.ok()) << rules.status();
  return rules.ok() ? *rules : Rules();
}

// `body` is what stands in a rule beside its name, in braces or without.
inline Rule RuleFrom(const std::string& body) {
  const Rules rules = RulesFrom("rules: [{name: test, " + body + "}]");
  return rules.rules.empty() ? Rule() : rules.rules.front();
}

inline Reading Usage(double share) {
  Reading reading;
  reading[Quantity::kUsage] = share;
  reading.limit_bytes = 1 << 30;
  reading.used_bytes = static_cast<std::uint64_t>(
      share * static_cast<double>(reading.limit_bytes));
  return reading;
}

inline TargetReading Of(std::uint32_t pid, const Reading& reading,
                        const std::string& process = "db") {
  return {{.key = {pid, 1},
           .process = process,
           .exe = {},
           .cgroup = {},
           .python = false,
           .under_shim = true},
          reading};
}

}  // namespace heapledger::collector::response
