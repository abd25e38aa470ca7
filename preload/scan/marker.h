// SPDX-License-Identifier: Apache-2.0
// Marks blocks that words reach, and what is reached from there, without
// recursion: a block is put on the list once, when it is marked.
//
// A word is taken for a pointer where it lies inside a block, be it in its
// middle, with anything in its low bits, or with a tag in its upper 16.
//
// Thread safety: none.
#pragma once

#include <cstdint>

#include "preload/scan/block_extent.h"
#include "preload/scan/block_index.h"
#include "preload/scan/memory.h"

namespace heapledger::preload::scan {

template <ScanMemory Memory>
class Marker {
 public:
  // `list` has room for every block of the index. All outlive the marker.
  Marker(Memory& memory, Allocator allocator, BlockIndex& index,
         std::uint64_t* list)
      : memory_(memory), allocator_(allocator), index_(index), list_(list) {}

  // The block that a word points into; 0 where there is none.
  std::uint64_t BlockOf(std::uint64_t word) {
    if (word >> ObjectMap::kAddressBits != 0) {
      word &= (1ULL << 48) - 1;
      if (word >> ObjectMap::kAddressBits != 0) return 0;
    }
    std::uint64_t block = index_.Before(word);
    if (block == 0) return 0;
    BlockExtent extent = Extent(block);
    if (word < extent.begin) {
      // The rest of the granule's first half is the block's before it.
      block = index_.Before(block - 1);
      if (block == 0) return 0;
      extent = Extent(block);
    }
    if (extent.Contains(word)) return block;
    return word == extent.end && IsEmptyArray(block, extent) ? block : 0;
  }

  // The block that starts at this very address; 0 where there is none.
  std::uint64_t BlockAt(std::uint64_t address) {
    if (address % 16 != 0) return 0;
    const std::uint64_t block = index_.Before(address);
    if (block == 0 || address - block > 16) return 0;
    const BlockExtent extent = Extent(block);
    return address == extent.begin || !extent.exact ? block : 0;
  }

  // Takes a block for reached.
  void Reach(std::uint64_t block) {
    if (block != 0 && index_.Mark(block)) list_[listed_++] = block;
  }

  // Takes everything for reached that can be from what was reached. False when
  // the time was up.
  bool Drain() {
    while (listed_ != 0) {
      if (++steps_ % kStepsPerLook == 0 && memory_.TimeIsUp()) return false;
      ForEachTarget(list_[--listed_],
                    [this](std::uint64_t block) { Reach(block); });
    }
    return !memory_.TimeIsUp();
  }

  // Calls `visit(target)` for every word of a block that points to a block.
  template <typename Visit>
  void ForEachTarget(std::uint64_t block, Visit&& visit) {
    const BlockExtent extent = Extent(block);
    memory_.ForEachWord(extent.begin, extent.end, [&](std::uint64_t word) {
      if (const std::uint64_t target = BlockOf(word)) visit(target);
    });
  }

 private:
  static constexpr std::uint32_t kStepsPerLook = 1024;

  BlockExtent Extent(std::uint64_t block) {
    return ExtentOf(memory_, allocator_, block, index_.SizeOf(block));
  }

  // new T[0] for a type with a destructor: 8 bytes hold the count, 0, and the
  // program keeps the address behind them.
  bool IsEmptyArray(std::uint64_t block, const BlockExtent& extent) {
    std::uint64_t count = 1;
    return index_.SizeOf(block) == 8 && extent.exact &&
           memory_.Load(extent.begin, &count) && count == 0;
  }

  Memory& memory_;
  Allocator allocator_;
  BlockIndex& index_;
  std::uint64_t* list_;
  std::uint64_t listed_ = 0;
  std::uint32_t steps_ = 0;
};

}  // namespace heapledger::preload::scan
