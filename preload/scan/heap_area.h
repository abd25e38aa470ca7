// SPDX-License-Identifier: Apache-2.0
// Which memory is the allocator's: there only live blocks count, and only once
// reached. What else lies in it (free memory, the allocator's own lists) would
// hide leaks.
//
// glibc: the brk area; arenas, which lie in areas of 64 MiB at multiples of
// that; and large blocks with pages of their own.
// Other allocators: windows of 2 MiB in which blocks lie. They take memory from
// the kernel by such steps.
#pragma once

#include <cstdint>

#include "preload/scan/block_extent.h"
#include "preload/scan/block_index.h"
#include "preload/scan/mapping.h"
#include "preload/scan/memory.h"
#include "preload/scan/range_list.h"

namespace heapledger::preload::scan {

inline constexpr std::uint64_t kPageBytes = 4096;
inline constexpr std::uint64_t kArenaBytes = 64ULL << 20;
// Smaller blocks than that are not looked at for pages of their own.
inline constexpr std::uint64_t kLargeBlockBytes = 4096;

constexpr std::uint64_t RoundDown(std::uint64_t value, std::uint64_t unit) {
  return value / unit * unit;
}
constexpr std::uint64_t RoundUp(std::uint64_t value, std::uint64_t unit) {
  return RoundDown(value + unit - 1, unit);
}

// The head of an arena's area (heap_info in malloc/arena.c of glibc): arena,
// previous area, bytes in use, bytes that are accessible. Returns the bytes in
// use, or 0 where the area is none.
template <ScanMemory Memory>
std::uint64_t ArenaBytesAt(Memory& memory, std::uint64_t area) {
  std::uint64_t words[4];
  for (std::uint64_t i = 0; i < 4; ++i) {
    if (!memory.Load(area + 8 * i, &words[i])) return 0;
  }
  const auto [arena, previous, used, accessible] = words;
  const bool first = previous == 0 && arena > area && arena <= area + 64;
  const bool later = previous != 0 && previous % kArenaBytes == 0 &&
                     arena >= kPageBytes && arena % 16 == 0;
  if (!first && !later) return 0;
  if (used == 0 || used > kArenaBytes || used % kPageBytes != 0) return 0;
  if (accessible < used || accessible > kArenaBytes ||
      accessible % kPageBytes != 0) {
    return 0;
  }
  return used;
}

// Adds the allocator's part of a mapping. REQUIRES: readable, writable,
// private, without a file.
template <ScanMemory Memory>
void AddHeapAreas(Memory& memory, Allocator allocator, const BlockIndex& index,
                  const Mapping& mapping, RangeList& areas) {
  if (mapping.kind == Mapping::Kind::kHeap) {
    return areas.Add(mapping.start, mapping.end);
  }
  if (allocator == Allocator::kGlibc) {
    for (std::uint64_t at = RoundUp(mapping.start, kArenaBytes);
         at < mapping.end; at += kArenaBytes) {
      areas.Add(at, at + ArenaBytesAt(memory, at));
    }
    return;
  }
  constexpr std::uint64_t kWindow = 1ULL << BlockIndex::kWindowShift;
  for (std::uint64_t at = RoundDown(mapping.start, kWindow); at < mapping.end;
       at += kWindow) {
    if (!index.HasBlockInWindow(at)) continue;
    areas.Add(at < mapping.start ? mapping.start : at,
              at + kWindow > mapping.end ? mapping.end : at + kWindow);
  }
}

// Adds the pages of a large block, where it has pages of its own; false where
// not.
template <ScanMemory Memory>
bool AddLargeBlock(Memory& memory, Allocator allocator, std::uint64_t block,
                   std::uint64_t bytes, RangeList& areas) {
  if (bytes < kLargeBlockBytes) return false;
  const BlockExtent extent = ExtentOf(memory, allocator, block, bytes);
  ChunkHeader header;
  if (allocator == Allocator::kOther) {
    areas.Add(block, block + bytes);
    return true;
  }
  if (!extent.exact || !memory.Load(extent.begin - 8, &header.word) ||
      !header.mmapped()) {
    return false;
  }
  areas.Add(RoundDown(extent.begin - 16, kPageBytes),
            RoundUp(extent.end, kPageBytes));
  return true;
}

}  // namespace heapledger::preload::scan
