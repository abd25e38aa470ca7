// SPDX-License-Identifier: Apache-2.0
// The command line of the gate.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "collector/cli/gate_files.h"
#include "collector/cli/shim_environment.h"
#include "collector/gate/policy.h"

namespace CLI {
class App;
}  // namespace CLI

namespace heapledger::collector::cli {

struct GateOptions {
  std::vector<std::string> command;
  gate::Policy policy;
  std::uint32_t repeat = 1;
  std::uint32_t warmup = 0;
  std::string baseline;
  bool update_baseline = false;
  std::vector<std::string> suppressions;
  std::string tags;
  ReportFiles reports;
  int exit_code = 23;
  int wait_ms = 2000;
  // Exact and with whole stacks, whatever the environment says: nothing else
  // can be judged.
  ShimSettings shim = {.mode = {.mode = "exact", .stack = "full"},
                       .follow = {"all"}};
};

void AddGateOptions(CLI::App& app, GateOptions& options);

// What goes together.
[[nodiscard]] absl::Status CheckOptions(const GateOptions& options);

}  // namespace heapledger::collector::cli
