// SPDX-License-Identifier: Apache-2.0
// A bounded set of address ranges: gathered in any order, then sealed and asked
// what it leaves of another range.
#pragma once

#include <cstddef>
#include <cstdint>

#include "preload/scan/heap_sort.h"

namespace heapledger::preload::scan {

struct Range {
  std::uint64_t start = 0;
  std::uint64_t end = 0;  // exclusive
};

class RangeList {
 public:
  // `ranges` is room for `capacity` of them.
  void Attach(Range* ranges, std::uint32_t capacity) {
    ranges_ = ranges;
    capacity_ = capacity;
    count_ = 0;
    overflowed_ = false;
  }

  void Add(std::uint64_t start, std::uint64_t end) {
    if (start >= end) return;
    // What comes in order, as blocks do, needs no place of its own.
    if (count_ != 0 && ranges_[count_ - 1].end == start) {
      ranges_[count_ - 1].end = end;
      return;
    }
    if (count_ == capacity_) {
      overflowed_ = true;
      return;
    }
    ranges_[count_++] = {start, end};
  }

  // Whether a range found no room.
  [[nodiscard]] bool overflowed() const { return overflowed_; }
  [[nodiscard]] std::uint32_t size() const { return count_; }

  // Orders what was added and joins what touches.
  void Seal() {
    HeapSort(ranges_, count_,
             [](const Range& a, const Range& b) { return a.start < b.start; });
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < count_; ++i) {
      if (kept != 0 && ranges_[i].start <= ranges_[kept - 1].end) {
        Range& last = ranges_[kept - 1];
        if (ranges_[i].end > last.end) last.end = ranges_[i].end;
      } else {
        ranges_[kept++] = ranges_[i];
      }
    }
    count_ = kept;
  }

  // Calls `visit(range)` for every range, in order. REQUIRES: sealed.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (std::uint32_t i = 0; i < count_; ++i) visit(ranges_[i]);
  }

  // Calls `visit(start, end)` for every part of [start, end) inside a range, in
  // order. REQUIRES: sealed.
  template <typename Visit>
  void ForEachPart(std::uint64_t start, std::uint64_t end,
                   Visit&& visit) const {
    for (std::uint32_t i = FirstEndingAfter(start);
         i < count_ && ranges_[i].start < end; ++i) {
      const Range& range = ranges_[i];
      visit(range.start > start ? range.start : start,
            range.end < end ? range.end : end);
    }
  }

  // Calls `visit(start, end)` for every part of [start, end) outside all
  // ranges, in order, as long as it returns true. REQUIRES: sealed.
  template <typename Visit>
  bool ForEachGap(std::uint64_t start, std::uint64_t end, Visit&& visit) const {
    for (std::uint32_t i = FirstEndingAfter(start); i < count_; ++i) {
      if (ranges_[i].start >= end) break;
      if (ranges_[i].start > start && !visit(start, ranges_[i].start)) {
        return false;
      }
      start = ranges_[i].end;
      if (start >= end) return true;
    }
    return start >= end || visit(start, end);
  }

  // REQUIRES: sealed.
  [[nodiscard]] bool Contains(std::uint64_t address) const {
    const std::uint32_t at = FirstEndingAfter(address);
    return at < count_ && ranges_[at].start <= address;
  }

 private:
  [[nodiscard]] std::uint32_t FirstEndingAfter(std::uint64_t address) const {
    std::uint32_t low = 0;
    std::uint32_t high = count_;
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      if (ranges_[middle].end > address) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  Range* ranges_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t count_ = 0;
  bool overflowed_ = false;
};

}  // namespace heapledger::preload::scan
