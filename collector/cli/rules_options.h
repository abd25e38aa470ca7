// SPDX-License-Identifier: Apache-2.0
// The command line of `rules`.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/monitoring/settings.h"

namespace CLI {
class App;
}  // namespace CLI

namespace heapledger::collector::cli {

struct RulesArguments {
  std::string directory = "heapledger-monitoring";
  bool force = false;
  bool json = false;
  std::vector<std::string> thresholds;  // NAME=VALUE
  std::vector<std::string> limits;      // PROGRAM=SIZE
  std::vector<std::string> teams;       // ROLE=NAME, or NAME for both
  monitoring::Settings settings;
};

void AddRulesOptions(CLI::App& app, RulesArguments& arguments);

// The settings that the arguments say, checked. Runbooks are looked for where
// they are written, unless there is a place for them.
[[nodiscard]] absl::StatusOr<monitoring::Settings> SettingsFor(
    const RulesArguments& arguments);

}  // namespace heapledger::collector::cli
