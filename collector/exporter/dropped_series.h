// SPDX-License-Identifier: Apache-2.0
// Series that were not exported, by reason: the caps that keep a scrape small,
// and what the text format cannot carry.
//
// Thread safety: any thread. The counters are independent figures, so relaxed
// order is enough.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace heapledger::collector {

enum class SeriesDrop {
  kTargetCap,    // counts processes
  kCallsiteCap,  // counts callsites, which went into "_other"
  kDuplicate,    // these count series
  kInvalidName,
  kTypeConflict,
};

class DroppedSeries {
 public:
  static constexpr std::array<std::string_view, 5> kWords = {
      "target_cap", "callsite_cap", "duplicate", "invalid_name",
      "type_conflict"};

  void Add(SeriesDrop reason, std::uint64_t count) {
    counts_[static_cast<std::size_t>(reason)].fetch_add(
        count, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t count(std::size_t reason) const {
    return counts_[reason].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, kWords.size()> counts_{};
};

}  // namespace heapledger::collector
