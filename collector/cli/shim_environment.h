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
  // Of CPython: "malloc" (frames, and every object on its own), "arenas"
  // (frames, and CPython's allocator stays), "metrics" (the interpreter's
  // figures), "all" (the first and the third), or empty.
  std::string python = {};
};

// Our own variable; empty where it is not set.
[[nodiscard]] std::string FromEnvironment(const char* name);

// A program with AddressSanitizer's runtime ends at once where anything is
// preloaded, unless it is told not to mind; the shim does nothing there. What a
// user says of it himself stays.
[[nodiscard]] std::string AsanOptions(const std::string& before);

// The message says what could not be found, and what to do.
[[nodiscard]] absl::StatusOr<std::map<std::string, std::string>>
ShimEnvironment(const ShimSettings& settings, const RunDirectory& directory);

}  // namespace heapledger::collector::cli
