// SPDX-License-Identifier: Apache-2.0
// Which logs `collect` follows, and what it looks for in them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/logs/log_watch.h"

namespace CLI {
class App;
}  // namespace CLI

namespace heapledger::collector::cli {

struct LogArguments {
  std::vector<std::string> sources;
  std::string patterns;
  bool from_start = false;
};

void AddLogOptions(CLI::App& app, LogArguments& arguments);

// Reads the patterns' file; null where no log is to be followed. `log` gets a
// sentence for every problem with a log.
[[nodiscard]] absl::StatusOr<std::unique_ptr<logs::LogWatch>> LogWatchFor(
    const LogArguments& arguments, std::function<void(const std::string&)> log);

}  // namespace heapledger::collector::cli
