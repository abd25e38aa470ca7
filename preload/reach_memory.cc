// SPDX-License-Identifier: Apache-2.0
// Memory of a scan: what is root, what is heap, and what is neither.
#include <pthread.h>

#include "preload/ignored.h"
#include "preload/lifecycle.h"
#include "preload/loaded_object.h"
#include "preload/raw_io.h"
#include "preload/reach_scan.h"
#include "preload/real_malloc.h"
#include "preload/scan/heap_area.h"

namespace heapledger::preload {

using ledger::ScanReason;
using scan::Mapping;

namespace {

// Read-only file mappings that others can write to are read up to this size.
constexpr std::uint64_t kMostReadOnlyBytes = 64ULL << 20;
// The same of private ones whose untouched pages cannot be told.
constexpr std::uint64_t kMostUnknownBytes = 4ULL << 20;

std::uint64_t AddressOf(const void* at) {
  return reinterpret_cast<std::uint64_t>(at);
}

}  // namespace

void* ScanEnv::MapPrivate(std::size_t bytes) {
  if (count_ == kMaxAreas) return nullptr;
  void* const at = raw::MapPrivate(bytes);
  if (at != nullptr) areas_[count_++] = {at, bytes};
  return at;
}

void ScanEnv::ReleaseAll() {
  while (count_ != 0) {
    --count_;
    raw::Unmap(areas_[count_].at, areas_[count_].bytes);
  }
}

void ReachScan::Begin(std::int32_t pid, std::int32_t own_tid) {
  pid_ = pid;
  own_tid_ = own_tid;
  allocator_ = g_real.smallest_request == 0 ? scan::Allocator::kGlibc
                                            : scan::Allocator::kOther;
  LoadedObject libc;
  if (FindLoadedObject(
          AddressOf(reinterpret_cast<const void*>(&pthread_key_create)),
          &libc)) {
    libc_ = {libc.start, libc.end};
  }
}

ScanReason ReachScan::BuildIndex(ScanEnv& env) {
  return index_.Build(env, g_books->objects()) ? ScanReason::kNone
                                               : ScanReason::kNoMemory;
}

// --- What is no root ---

void ReachScan::ClearNotRoots() {
  not_roots_.Attach(ranges_, kMaxRanges);
  heap_.Attach(heap_ranges_, kMaxRanges);
}

void ReachScan::AddHeap(LargeBlocks large) {
  for (const Mapping& mapping : memory_) {
    if (mapping.readable && mapping.writable && !mapping.shared &&
        mapping.anonymous()) {
      scan::AddHeapAreas(memory_, allocator_, index_, mapping, heap_);
    }
  }
  if (large == LargeBlocks::kFind) {
    FindLargeBlocks();
  } else {
    RecheckLargeBlocks();
  }
  heap_.Seal();
  heap_.ForEach([this](const scan::Range& range) {
    not_roots_.Add(range.start, range.end);
  });
}

void ReachScan::FindLargeBlocks() {
  large_block_count_ = 0;
  index_.ForEach([this](std::uint64_t block) {
    if (scan::AddLargeBlock(memory_, allocator_, block, index_.SizeOf(block),
                            heap_) &&
        large_block_count_ < kMaxLargeBlocks) {
      large_blocks_[large_block_count_++] = {block, index_.SlotWordOf(block)};
    }
    return !heap_.overflowed();
  });
}

void ReachScan::RecheckLargeBlocks() {
  for (std::uint32_t i = 0; i < large_block_count_; ++i) {
    const LargeBlock& large = large_blocks_[i];
    if (index_.SlotWordOf(large.block) != large.slot_word) continue;
    scan::AddLargeBlock(memory_, allocator_, large.block,
                        index_.SizeOf(large.block), heap_);
  }
}

bool ReachScan::SealNotRoots() {
  not_roots_.Seal();
  return !not_roots_.overflowed() && !heap_.overflowed();
}

void ReachScan::AddOwnMemory() {
  if (!raw::g_own_ranges.ForEach(
          [this](std::uint64_t start, std::uint64_t end) {
            bool handed_out = false;
            g_bootstrap.ForEachArea([&](std::uint64_t low, std::uint64_t) {
              handed_out = handed_out || low == start;
            });
            if (!handed_out) not_roots_.Add(start, end);
          })) {
    // What is not listed becomes a root and hides leaks; it makes none.
    return;
  }
  LoadedObject own;
  if (!FindLoadedObject(AddressOf(&g_gate), &own)) return;
  std::uint64_t at = own.start;
  g_bootstrap.ForEachArea([&](std::uint64_t low, std::uint64_t high) {
    if (low < own.start || high > own.end) return;
    not_roots_.Add(at, low);
    at = high;
  });
  not_roots_.Add(at, scan::RoundUp(own.end, scan::kPageBytes));
}

// --- Marks ---

bool ReachScan::IsRoot(const Mapping& mapping) const {
  using Kind = Mapping::Kind;
  if (!mapping.readable || mapping.kind == Kind::kKernel ||
      mapping.kind == Kind::kDevice) {
    return false;
  }
  if (mapping.writable || mapping.anonymous() ||
      mapping.kind == Kind::kMemoryFile) {
    return true;
  }
  // Read-only by now: relocated data, or a file that is written elsewhere.
  const std::uint64_t bytes = mapping.end - mapping.start;
  if (mapping.shared) return bytes <= kMostReadOnlyBytes;
  return memory_.knows_pages() || bytes <= kMostUnknownBytes;
}

void ReachScan::MarkWords(BlockMarker& marker, const std::uint64_t* words,
                          std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    marker.Reach(marker.BlockOf(words[i]));
  }
}

void ReachScan::MarkRoots(BlockMarker& marker, const Mapping& mapping,
                          std::uint64_t start, std::uint64_t end) {
  not_roots_.ForEachGap(start, end, [&](std::uint64_t low, std::uint64_t high) {
    const std::uint64_t libc_low = low > libc_.start ? low : libc_.start;
    const std::uint64_t libc_high = high < libc_.end ? high : libc_.end;
    const auto mark = [&](std::uint64_t from, std::uint64_t to) {
      if (from >= to) return;
      root_bytes_ += memory_.ForEachRun(
          mapping, from, to,
          [&](std::uint64_t, const std::uint64_t* words, std::size_t count) {
            MarkWords(marker, words, count);
          });
    };
    if (libc_low < libc_high) {
      mark(low, libc_low);
      MarkExact(marker, mapping, libc_low, libc_high);
      mark(libc_high, high);
    } else {
      mark(low, high);
    }
    return !memory_.TimeIsUp();
  });
}

void ReachScan::MarkExact(BlockMarker& marker, const Mapping& mapping,
                          std::uint64_t begin, std::uint64_t end) {
  root_bytes_ += memory_.ForEachRun(
      mapping, begin, end,
      [&](std::uint64_t, const std::uint64_t* words, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
          marker.Reach(marker.BlockAt(words[i]));
        }
      });
}

// What a forked child found live at its start is its parent's to answer for,
// and may be held by threads that do not exist here.
void ReachScan::MarkInherited(BlockMarker& marker) {
  const std::uint32_t end = g_books->file().header().inherited_end;
  if (end == 0) return;
  index_.ForEach([&](std::uint64_t block) {
    if (index_.CallsiteOf(block) < end) marker.Reach(block);
    return true;
  });
}

void ReachScan::MarkIgnored(BlockMarker& marker) {
  const IgnoredBlock* blocks = nullptr;
  const std::uint32_t count = IgnoredBlocks(&blocks);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t block = blocks[i].block.load(std::memory_order_acquire);
    // Not one that came later to its place, nor than the index.
    if (block != 0 && index_.Before(block) == block &&
        index_.SlotWordOf(block) ==
            blocks[i].slot_word.load(std::memory_order_relaxed)) {
      marker.Reach(block);
    }
  }
  if (!EverIgnoring()) return;
  index_.ForEach([&](std::uint64_t block) {
    const std::uint32_t flags =
        g_books->callsites().FlagsOf(index_.CallsiteOf(block));
    if ((flags & ledger::kCallsiteIgnored) != 0) marker.Reach(block);
    return true;
  });
}

}  // namespace heapledger::preload
