// SPDX-License-Identifier: Apache-2.0
// What a baseline knows of a program, and one moment of it. Whoever can see a
// process fills a Sample; this room does not care how.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace heapledger::collector::baseline {

enum class Quantity {
  kRssBytes,
  kVmsBytes,
  kUsageRatio,      // share of what the process can come to that is used
  kAvailableBytes,  // that the host can still give
  kHeapLiveBytes,
  kHeapLiveObjects,
  kOpenFds,
};

inline constexpr std::array<std::string_view, 7> kQuantityWords = {
    "rss_bytes",       "vms_bytes",         "usage_ratio", "available_bytes",
    "heap_live_bytes", "heap_live_objects", "open_fds"};
inline constexpr std::size_t kQuantities = kQuantityWords.size();

// Index into kQuantityWords; "open_files" is another word for open_fds. None
// for any other word.
[[nodiscard]] constexpr std::optional<std::size_t> QuantityIndex(
    std::string_view word) {
  if (word == "open_files") word = "open_fds";
  for (std::size_t i = 0; i < kQuantities; ++i) {
    if (kQuantityWords[i] == word) return i;
  }
  return std::nullopt;
}

struct Sample {
  std::uint64_t realtime_ns = 0;
  // By quantity; none where it could not be seen.
  std::array<std::optional<double>, kQuantities> values;

  std::optional<double>& operator[](Quantity quantity) {
    return values[static_cast<std::size_t>(quantity)];
  }
};

}  // namespace heapledger::collector::baseline
