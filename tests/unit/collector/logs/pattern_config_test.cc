// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/pattern_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "collector/logs/pattern_table.h"

namespace heapledger::collector::logs {
namespace {

const Pattern* Find(const std::vector<Pattern>& patterns,
                    const std::string& name) {
  const auto found = std::ranges::find(patterns, name, &Pattern::name);
  return found == patterns.end() ? nullptr : &*found;
}

TEST(PatternConfigTest, UsersPatternsStandBesideTheBuiltIn) {
  const auto patterns = ParsePatternConfig(R"(
disable: [swap_thrashing]
patterns:
  - name: slow_checkpoint
    severity: high
    regex: 'total=([0-9.]+) s'
    unless: restartpoint
    programs: [postgres]
    threshold: 30
  - {name: memory_warning, severity: medium, regex: "mine"}
)",
                                           "f");
  ASSERT_TRUE(patterns.ok()) << patterns.status();
  EXPECT_EQ(Find(*patterns, "swap_thrashing"), nullptr);
  EXPECT_NE(Find(*patterns, "oom_killer"), nullptr);
  const Pattern* mine = Find(*patterns, "slow_checkpoint");
  ASSERT_NE(mine, nullptr);
  EXPECT_EQ(mine->severity, Severity::kHigh);
  ASSERT_EQ(mine->wordings.size(), 1U);
  EXPECT_EQ(mine->wordings[0].regex, "total=([0-9.]+) s");
  EXPECT_EQ(mine->wordings[0].unless, "restartpoint");
  EXPECT_EQ(mine->wordings[0].programs, std::vector<std::string>{"postgres"});
  EXPECT_EQ(mine->wordings[0].at_least, 30);
  // A built-in name is replaced.
  EXPECT_EQ(Find(*patterns, "memory_warning")->wordings.size(), 1U);
  EXPECT_TRUE(PatternTable::Compile(*patterns).ok());
}

TEST(PatternConfigTest, AnEmptyFileChangesNothing) {
  for (const char* text : {"", "# only words\n", "patterns: []"}) {
    const auto patterns = ParsePatternConfig(text, "f");
    ASSERT_TRUE(patterns.ok()) << text;
    EXPECT_EQ(patterns->size(), BuiltInPatterns().size());
  }
}

TEST(PatternConfigTest, WhatIsWrongIsSaidWithItsLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"patterns:\n- {name: a, severity: low}",
       "f line 2: patterns[0] has no regex"},
      {"patterns:\n- {name: a, severity: bad, regex: x}",
       "f line 2: patterns[0].severity 'bad'"},
      {"patterns:\n- {name: A b, severity: low, regex: x}",
       "f line 2: patterns[0].name 'A b'"},
      {"patterns:\n- {name: a, severity: low, regex: x, treshold: 3}",
       "f line 2: patterns[0].treshold is no key known here"},
      {"patterns:\n- {name: a, severity: low, regex: x, threshold: many}",
       "f line 2: patterns[0].threshold is \"many\", not a number"},
      {"patterns:\n- {name: a, severity: low, regex: x}\n"
       "- {name: a, severity: low, regex: x}",
       "f line 3: patterns[1] has a name that a above it has already"},
      {"disable: [nothing]", "f line 1: disable has 'nothing'"},
      {"pattern: []", "f line 1: pattern is no key known here"},
      {"- a", "f line 1: takes a map of keys and values"},
      {"patterns: 3", "f line 1: patterns takes a list"},
      {"patterns: [", "f line "},
  };
  for (const auto& [text, why] : cases) {
    const auto patterns = ParsePatternConfig(text, "f");
    ASSERT_FALSE(patterns.ok()) << text;
    EXPECT_NE(patterns.status().message().find(why), std::string::npos)
        << patterns.status();
  }
}

TEST(PatternConfigTest, DepthAndNumberAreBounded) {
  EXPECT_FALSE(ParsePatternConfig(std::string(100'000, '['), "f").ok());
  std::string many = "patterns:\n";
  for (std::size_t i = 0; i <= kMaxUserPatterns; ++i) {
    many += "- {name: a" + std::to_string(i) + ", severity: low, regex: x}\n";
  }
  EXPECT_FALSE(ParsePatternConfig(many, "f").ok());
}

}  // namespace
}  // namespace heapledger::collector::logs
