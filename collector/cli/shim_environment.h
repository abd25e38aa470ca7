// SPDX-License-Identifier: Apache-2.0
// What a program that we start gets on top of our environment, so that it is
// measured.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/cli/run_directory.h"
#include "collector/cli/run_mode.h"

namespace heapledger::collector::cli {

struct ShimSettings {
  RunMode mode = {};
  std::optional<std::uint32_t> max_depth = {};
  std::string allocator = "system";
  std::vector<std::string> follow = {};
  // What to read of CPython: frames, metrics or all; empty: nothing.
  std::string python = {};
};

// Our own variable; empty where it is not set.
[[nodiscard]] std::string FromEnvironment(const char* name);

// The message says what could not be found, and what to do.
[[nodiscard]] absl::StatusOr<std::map<std::string, std::string>>
ShimEnvironment(const ShimSettings& settings, const RunDirectory& directory);

}  // namespace heapledger::collector::cli
