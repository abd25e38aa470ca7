// SPDX-License-Identifier: Apache-2.0
// What changed between heaps, as tables for a person and as JSON.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "collector/profile/difference.h"
#include "collector/profile/profile.h"

namespace heapledger::collector::cli {

struct DiffOptions {
  ProfileValue value = ProfileValue::kLiveBytes;
  ProfileGroup by = ProfileGroup::kCallsite;
  std::size_t limit = 20;  // rows of each kind of change; 0: all
  bool grew_in_all = false;
};

// "+1.5 KiB", "-3", "0 B"
[[nodiscard]] std::string SignedText(std::int64_t value, ProfileValue of);

// Which heaps, what became of the totals, then a table for each kind of change:
// grown, new, shrunk, gone.
[[nodiscard]] std::string DiffText(const Comparison& comparison,
                                   const DiffOptions& options);

// The same, with every value of every heap. The rows of a limit that is not 0
// are those that changed most; what is left out is in "other".
[[nodiscard]] nlohmann::ordered_json DiffJson(const Comparison& comparison,
                                              const DiffOptions& options);

}  // namespace heapledger::collector::cli
