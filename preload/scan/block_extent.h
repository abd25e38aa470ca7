// SPDX-License-Identifier: Apache-2.0
// Where in its granule a block starts. The object map knows it to 32 bytes;
// glibc's blocks start at multiples of 16, and the chunk header before a block
// tells which.
//
//   block ->  +0            +8            +16           +24
//             | header of a block at +16  | or a block that starts at +0 ...
#pragma once

#include <cstdint>

#include "preload/scan/memory.h"

namespace heapledger::preload::scan {

// The bytes [begin, end) that were asked for; where not exact, up to 16 bytes
// more before or behind. A block of no bytes counts as one of one.
struct BlockExtent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool exact = false;

  // A pointer anywhere into it.
  [[nodiscard]] bool Contains(std::uint64_t address) const {
    return address >= begin && address < end;
  }
};

// What lies in a chunk's size word (malloc/malloc.c of glibc, to 2.40).
struct ChunkHeader {
  static constexpr std::uint64_t kFlags = 7;
  static constexpr std::uint64_t kMmapped = 2;
  static constexpr std::uint64_t kSmallest = 32;
  static constexpr std::uint64_t kPageBytes = 4096;

  std::uint64_t word = 0;

  [[nodiscard]] constexpr bool mmapped() const {
    return (word & kMmapped) != 0;
  }

  // Whether it can be the header of a block of so many bytes: chunks are cut to
  // what is asked for, and a rest too small to stand alone stays with them.
  [[nodiscard]] constexpr bool Fits(std::uint64_t bytes) const {
    const std::uint64_t size = word & ~kFlags;
    if (size < kSmallest || size % 16 != 0) return false;
    if (mmapped()) return size >= bytes + 16 && size - bytes <= 8192 + 16;
    const std::uint64_t padded = (bytes + 8 + 15) & ~std::uint64_t{15};
    const std::uint64_t needed = padded < kSmallest ? kSmallest : padded;
    return size >= needed && size - needed <= kSmallest;
  }

  // Whether it can be that of a large block with pages of its own.
  [[nodiscard]] constexpr bool FitsPages(std::uint64_t bytes) const {
    return mmapped() && bytes >= kPageBytes &&
           (word & ~kFlags) % kPageBytes == 0 && Fits(bytes);
  }
};

enum class Allocator { kGlibc, kOther };

template <ScanMemory Memory>
BlockExtent ExtentOf(Memory& memory, Allocator allocator, std::uint64_t block,
                     std::uint64_t bytes) {
  const std::uint64_t held = bytes == 0 ? 1 : bytes;
  const BlockExtent early{block, block + held, true};
  const BlockExtent late{block + 16, block + 16 + held, true};
  const BlockExtent either{block, block + 16 + held, false};
  if (allocator != Allocator::kGlibc) return either;
  ChunkHeader header;
  if (!memory.Load(block + 8, &header.word)) return either;
  if (!header.Fits(bytes)) return early;
  // Pages of its own: what lies on the page before says nothing about it. For
  // anything smaller it does, as the block's text may look like a header.
  if (block % ChunkHeader::kPageBytes == 0 && header.FitsPages(bytes)) {
    return late;
  }
  if (!memory.Load(block - 8, &header.word)) return late;
  return header.Fits(bytes) ? either : late;
}

}  // namespace heapledger::preload::scan
