// SPDX-License-Identifier: Apache-2.0
// Address -> value over ranges that may overlap. Build() cuts them once into
// disjoint pieces, each owned by the best range that covers it, so that a
// lookup is one binary search whatever the input looked like.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <queue>
#include <utility>
#include <vector>

namespace heapledger::symbolizer {

template <typename Value>
class RangeIndex {
 public:
  struct Range {
    std::uint64_t low;   // first address
    std::uint64_t high;  // one past the last address
    Value value;
  };

  RangeIndex() = default;

  // `better(a, b)` says whether range a wins over b where both cover an
  // address; it must be a strict weak ordering. Among equals the lower start
  // wins, then the earlier in `ranges`. Empty and inverted ranges are ignored.
  //
  // Returns the index. Takes O(n log n) time for any input: each step of the
  // sweep either takes a new range in or leaves one behind.
  template <typename Better>
  static RangeIndex Build(std::vector<Range> ranges, Better better);

  // Returns the value of the best range that covers `address`, or nullptr.
  const Value* Find(std::uint64_t address) const {
    auto after = std::upper_bound(
        pieces_.begin(), pieces_.end(), address,
        [](std::uint64_t a, const Range& piece) { return a < piece.low; });
    if (after == pieces_.begin()) return nullptr;
    const Range& piece = *std::prev(after);
    return address < piece.high ? &piece.value : nullptr;
  }

  bool empty() const { return pieces_.empty(); }
  const std::vector<Range>& pieces() const { return pieces_; }

 private:
  void Append(std::uint64_t low, std::uint64_t high, const Value& value) {
    if (!pieces_.empty() && pieces_.back().high == low &&
        pieces_.back().value == value) {
      pieces_.back().high = high;
    } else {
      pieces_.push_back(Range{low, high, value});
    }
  }

  std::vector<Range> pieces_;  // disjoint, by address
};

template <typename Value>
template <typename Better>
RangeIndex<Value> RangeIndex<Value>::Build(std::vector<Range> ranges,
                                           Better better) {
  std::erase_if(ranges, [](const Range& r) { return r.high <= r.low; });
  std::stable_sort(
      ranges.begin(), ranges.end(),
      [](const Range& a, const Range& b) { return a.low < b.low; });

  // The ranges that have begun and may not have ended; the best on top.
  auto worse = [&](std::size_t a, std::size_t b) {
    if (better(ranges[b], ranges[a])) return true;
    if (better(ranges[a], ranges[b])) return false;
    return b < a;
  };
  std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(worse)>
      open(worse);

  RangeIndex index;
  std::uint64_t at = 0;
  std::size_t next = 0;
  while (next < ranges.size() || !open.empty()) {
    if (open.empty()) at = ranges[next].low;
    while (next < ranges.size() && ranges[next].low <= at) open.push(next++);
    while (!open.empty() && ranges[open.top()].high <= at) open.pop();
    if (open.empty()) continue;
    const Range& best = ranges[open.top()];
    std::uint64_t until = best.high;
    if (next < ranges.size()) until = std::min(until, ranges[next].low);
    index.Append(at, until, best.value);
    at = until;
  }
  index.pieces_.shrink_to_fit();
  return index;
}

}  // namespace heapledger::symbolizer
