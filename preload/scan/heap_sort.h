// SPDX-License-Identifier: Apache-2.0
// Sorting in place without memory, recursion or a library: for the scan, which
// may run on the last page of somebody's stack.
#pragma once

#include <cstddef>
#include <utility>

namespace heapledger::preload::scan {

template <typename Value, typename Less>
void HeapSort(Value* values, std::size_t count, Less&& less) {
  const auto sift = [&](std::size_t at, std::size_t end) {
    for (;;) {
      std::size_t child = 2 * at + 1;
      if (child >= end) return;
      if (child + 1 < end && less(values[child], values[child + 1])) ++child;
      if (!less(values[at], values[child])) return;
      std::swap(values[at], values[child]);
      at = child;
    }
  };
  for (std::size_t at = count / 2; at-- > 0;) sift(at, count);
  for (std::size_t end = count; end > 1; --end) {
    std::swap(values[0], values[end - 1]);
    sift(0, end - 1);
  }
}

}  // namespace heapledger::preload::scan
