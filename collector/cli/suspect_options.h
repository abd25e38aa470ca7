// SPDX-License-Identifier: Apache-2.0
// What a user tells of suspects beforehand: the same options on `leaks` and
// `collect`.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/leaks/suspect_rules.h"

namespace CLI {
class App;
}  // namespace CLI

namespace heapledger::collector::cli {

struct SuspectArguments {
  std::string baseline;
  std::vector<std::string> own_modules;
  std::vector<std::string> suppressions;  // files in LeakSanitizer's format
};

void AddSuspectOptions(CLI::App& app, SuspectArguments& arguments);

// Reads the files that the arguments name.
[[nodiscard]] absl::StatusOr<SuspectRules> RulesFor(
    const SuspectArguments& arguments);

}  // namespace heapledger::collector::cli
