// SPDX-License-Identifier: Apache-2.0
// How much `run` has the shim measure: the options, what goes together, and the
// environment that says it to the shim.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace CLI {
class App;
}  // namespace CLI

namespace heapledger::collector::cli {

struct RunMode {
  // Empty and none where the command line says nothing: the environment's then.
  std::string mode = {};
  std::optional<std::uint32_t> sample_bytes = {};
  std::string stack = {};
  std::optional<std::uint32_t> budget_percent = {};
};

void AddModeOptions(CLI::App& app, RunMode& mode);

// `before` is the environment that the program would have: its HEAPLEDGER_MODE
// and HEAPLEDGER_STACK hold where `mode` says nothing.
[[nodiscard]] absl::Status CheckMode(
    const RunMode& mode, const std::map<std::string, std::string>& before);

void AddModeEnvironment(const RunMode& mode,
                        std::map<std::string, std::string>& environment);

}  // namespace heapledger::collector::cli
