// SPDX-License-Identifier: Apache-2.0
// What a scan at exit (reach.h) and one of a running program (live_reach.h)
// have in common: which memory is root and which is heap, what threads hold,
// and the marks.
//
// Not roots: our own memory, the allocator's (scan/heap_area.h), the dead parts
// of stacks, and stacks that glibc keeps of ended threads. Of libc's own data
// only pointers to the very start of a block count: its free lists point into
// the middle of things.
//
// Memory comes from the kernel; nothing of libc is called.
//
// Thread safety: none.
#pragma once

#include <cstdint>

#include "heapledger/ledger/reasons.h"
#include "preload/park.h"
#include "preload/reach.h"
#include "preload/scan/block_index.h"
#include "preload/scan/leak_split.h"
#include "preload/scan/marker.h"
#include "preload/scan/range_list.h"
#include "preload/scan/thread_block.h"
#include "preload/scan_memory.h"

namespace heapledger::preload {

// Private memory for one scan, given back at its end.
class ScanEnv {
 public:
  void* MapPrivate(std::size_t bytes);
  void Unmap(void*, std::size_t) {}
  void Discard(void*, std::size_t) {}
  bool Populate(std::uint32_t, std::uint32_t) { return false; }

  void ReleaseAll();

 private:
  static constexpr std::uint32_t kMaxAreas = 16;
  struct Area {
    void* at;
    std::size_t bytes;
  };
  Area areas_[kMaxAreas];
  std::uint32_t count_ = 0;
};

// A thread that lives, as far as its stack is concerned.
struct LiveStack {
  std::uint64_t rsp;
  std::uint64_t red_zone;  // what may be in use below rsp
};

// Lies in memory of its own, zeroed, as the stack may be a small one.
class ReachScan {
 public:
  using BlockMarker = scan::Marker<ScanMemory>;

  // Learns what does not change. `own_tid` is the thread whose memory the
  // calling one sees as its own thread's.
  void Begin(std::int32_t pid, std::int32_t own_tid);
  ledger::ScanReason BuildIndex(ScanEnv& env);

  ParkingLot& lot() { return lot_; }
  ScanMemory& memory() { return memory_; }
  scan::BlockIndex& index() { return index_; }
  scan::RangeList& not_roots() { return not_roots_; }
  const scan::RangeList& heap() const { return heap_; }
  [[nodiscard]] scan::Allocator allocator() const { return allocator_; }
  [[nodiscard]] std::uint64_t root_bytes() const { return root_bytes_; }

  // --- What is no root. Each adds to it; SealNotRoots() says whether all found
  // room.
  void ClearNotRoots();
  void AddOwnMemory();
  // Of the mappings, and of blocks that have pages of their own: those that are
  // asked about here and remembered, or those of an earlier time.
  enum class LargeBlocks { kFind, kRecheck };
  void AddHeap(LargeBlocks large);
  void AddDeadStacks(const CallerState* caller);
  // All of the stacks of live threads, whose live parts are not known.
  void AddWholeStacks();
  bool SealNotRoots();

  // --- Threads.
  void FindThreadBlocks();
  // Once threads stand still: those of live threads anew, and of the others
  // those that are still what they were. Calls `lost(low, high)` for a stack
  // that is neither.
  template <typename Lost>
  void RecheckThreadBlocks(Lost&& lost);
  // The calling thread, where there is one, and those that are parked.
  void MarkThreads(BlockMarker& marker, const CallerState* caller);

  // --- Memory.
  // What is nobody's leak here: inherited over a fork, or ignored by the
  // program's own word.
  void MarkInherited(BlockMarker& marker);
  void MarkIgnored(BlockMarker& marker);
  [[nodiscard]] bool IsRoot(const scan::Mapping& mapping) const;
  // What of [start, end), a part of the mapping, is a root.
  void MarkRoots(BlockMarker& marker, const scan::Mapping& mapping,
                 std::uint64_t start, std::uint64_t end);

 private:
  static constexpr std::uint32_t kMaxRanges = 1U << 18;
  static constexpr std::uint32_t kMaxThreadBlocks = 1U << 16;
  static constexpr std::uint32_t kMaxLargeBlocks = 1U << 16;

  struct LargeBlock {
    std::uint64_t block;
    std::uint32_t slot_word;
  };

  void FindThreadBlocksIn(const scan::Mapping& mapping);
  [[nodiscard]] bool MayHoldThreadBlocks(const scan::Mapping* mapping) const;
  const scan::ThreadBlock* BlockOfThread(std::int32_t tid) const;
  bool ReadThreadBlockAt(std::uint64_t address, scan::ThreadBlock* block);
  void AddDeadStackOf(std::int32_t tid, const LiveStack& stack);
  LiveStack StackOf(const ParkedThread& thread);
  void FindLargeBlocks();
  void RecheckLargeBlocks();

  void MarkWords(BlockMarker& marker, const std::uint64_t* words,
                 std::size_t count);
  void MarkStackOf(BlockMarker& marker, std::int32_t tid,
                   const LiveStack& stack);
  void MarkExact(BlockMarker& marker, const scan::Mapping& mapping,
                 std::uint64_t begin, std::uint64_t end);

  ParkingLot lot_;
  ScanMemory memory_;
  scan::BlockIndex index_;
  scan::RangeList not_roots_;
  scan::RangeList heap_;
  scan::Range ranges_[kMaxRanges];
  scan::Range heap_ranges_[kMaxRanges];
  LargeBlock large_blocks_[kMaxLargeBlocks];
  std::uint32_t large_block_count_ = 0;
  scan::ThreadBlock thread_blocks_[kMaxThreadBlocks];
  std::uint32_t thread_block_count_ = 0;
  std::uint64_t thread_words_[scan::kThreadBlockWords];
  bool knows_thread_ids_ = false;
  std::int32_t own_tid_ = 0;
  std::int32_t pid_ = 0;
  scan::Allocator allocator_ = scan::Allocator::kGlibc;
  scan::Range libc_;
  std::uint64_t root_bytes_ = 0;
};

template <typename Lost>
void ReachScan::RecheckThreadBlocks(Lost&& lost) {
  std::uint32_t kept = 0;
  for (std::uint32_t i = 0; i < thread_block_count_; ++i) {
    const scan::ThreadBlock before = thread_blocks_[i];
    scan::ThreadBlock now;
    const bool same = ReadThreadBlockAt(before.address, &now) &&
                      now.stack_low == before.stack_low &&
                      now.stack_high == before.stack_high;
    if (same && now.tid <= 0) {
      thread_blocks_[kept++] = now;
      continue;
    }
    const ParkedThread* const thread = same ? lot_.Find(now.tid) : nullptr;
    const bool lives =
        thread != nullptr && thread->thread_pointer == now.address;
    if (!lives && before.stack_low != 0) {
      lost(before.stack_low, before.stack_high);
    }
  }
  thread_block_count_ = kept;
  lot_.ForEach([this](const ParkedThread& thread) {
    scan::ThreadBlock block;
    if (thread.thread_pointer != 0 && thread_block_count_ < kMaxThreadBlocks &&
        ReadThreadBlockAt(thread.thread_pointer, &block) &&
        block.tid == thread.tid) {
      thread_blocks_[thread_block_count_++] = block;
    }
  });
}

}  // namespace heapledger::preload
