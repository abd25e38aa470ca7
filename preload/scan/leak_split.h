// SPDX-License-Identifier: Apache-2.0
// Tells direct leaks from indirect ones, among blocks that nothing reaches.
//
// Direct: no other of them points to it. Indirect: reached from a direct one.
// In a circle every block is pointed to; there the one with the lowest address
// is called direct and the rest indirect, so that no leak is without a head.
#pragma once

#include <cstdint>

#include "preload/scan/block_index.h"
#include "preload/scan/marker.h"

namespace heapledger::preload::scan {

struct LeakedBlock {
  std::uint64_t block;
  std::uint32_t slot_word;  // BlockIndex::SlotWordOf() when it was found
  std::uint32_t direct;     // 1 or 0
};

// Fills `leaks` with the unmarked blocks, in the order of addresses. Returns
// how many there are, at most `capacity`.
inline std::uint64_t CollectLeaks(const BlockIndex& index, LeakedBlock* leaks,
                                  std::uint64_t capacity) {
  std::uint64_t count = 0;
  index.ForEachUnmarked([&](std::uint64_t block) {
    if (count == capacity) return false;
    leaks[count++] = {block, index.SlotWordOf(block), 0};
    return true;
  });
  return count;
}

// Sets `direct`. Marks all blocks. False when the time was up.
// REQUIRES: `leaks` are the unmarked blocks, in the order of addresses; nothing
// is on the marker's list.
template <ScanMemory Memory>
bool SplitLeaks(Marker<Memory>& marker, BlockIndex& index, LeakedBlock* leaks,
                std::uint64_t count, Memory& memory) {
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i % 1024 == 0 && memory.TimeIsUp()) return false;
    const std::uint64_t block = leaks[i].block;
    marker.ForEachTarget(block, [&](std::uint64_t target) {
      if (target != block) index.PointTo(target);
    });
  }
  const auto take = [&](LeakedBlock& leak) {
    leak.direct = 1;
    marker.Reach(leak.block);
    return marker.Drain();
  };
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!index.IsPointedTo(leaks[i].block) && !take(leaks[i])) return false;
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!index.IsMarked(leaks[i].block) && !take(leaks[i])) return false;
  }
  return true;
}

}  // namespace heapledger::preload::scan
