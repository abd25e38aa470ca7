// SPDX-License-Identifier: Apache-2.0
#include "preload/reach.h"

#include <pthread.h>
#include <sys/syscall.h>

#include "preload/lifecycle.h"
#include "preload/loaded_object.h"
#include "preload/raw_io.h"
#include "preload/real_malloc.h"
#include "preload/scan/heap_area.h"

namespace heapledger::preload {
namespace {

using ledger::ScanReason;
using scan::Mapping;
using scan::Range;
using scan::ThreadBlock;

constexpr std::uint64_t kTimeoutNs = 10'000'000'000;
constexpr std::uint64_t kParkTimeoutNs = 1'000'000'000;
constexpr std::uint32_t kMaxRanges = 1U << 18;
constexpr std::uint32_t kMaxThreadBlocks = 1U << 16;
// How far below its callers the scan's own frames reach.
constexpr std::uint64_t kOwnFrameBytes = 4096;
// Read-only file mappings that others can write to are read up to this size.
constexpr std::uint64_t kMostReadOnlyBytes = 64ULL << 20;
// The same of private ones whose untouched pages cannot be told.
constexpr std::uint64_t kMostUnknownBytes = 4ULL << 20;

std::uint64_t AddressOf(const void* at) {
  return reinterpret_cast<std::uint64_t>(at);
}

// Private memory for one scan, given back at its end.
class ScanEnv {
 public:
  void* MapPrivate(std::size_t bytes) {
    if (count_ == kMaxAreas) return nullptr;
    void* const at = raw::MapPrivate(bytes);
    if (at != nullptr) areas_[count_++] = {at, bytes};
    return at;
  }
  void Unmap(void*, std::size_t) {}
  void Discard(void*, std::size_t) {}
  bool Populate(std::uint32_t, std::uint32_t) { return false; }

  void ReleaseAll() {
    while (count_ != 0) {
      --count_;
      raw::Unmap(areas_[count_].at, areas_[count_].bytes);
    }
  }

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
class Scan {
 public:
  void Run(ScanEnv& env, const CallerState& caller, ReachResult& result);

 private:
  using BlockMarker = scan::Marker<ScanMemory>;

  ScanReason Prepare(ScanEnv& env);
  ScanReason Reach(ScanEnv& env, const CallerState& caller,
                   ReachResult& result);
  void FindThreadBlocks();
  void FindThreadBlocksIn(const Mapping& mapping);
  [[nodiscard]] bool MayHoldThreadBlocks(const Mapping* mapping) const;
  const ThreadBlock* BlockOfThread(std::int32_t tid) const;
  void AddDeadStacks(const CallerState& caller);
  void AddDeadStackOf(std::int32_t tid, const LiveStack& stack);
  void AddOwnMemory();
  LiveStack StackOf(const ParkedThread& thread);

  void MarkWords(BlockMarker& marker, const std::uint64_t* words,
                 std::size_t count);
  void MarkStackOf(BlockMarker& marker, std::int32_t tid,
                   const LiveStack& stack);
  void MarkThreads(BlockMarker& marker, const CallerState& caller);
  void MarkInherited(BlockMarker& marker);
  bool IsRoot(const Mapping& mapping) const;
  void MarkMapping(BlockMarker& marker, const Mapping& mapping);
  void MarkExact(BlockMarker& marker, const Mapping& mapping,
                 std::uint64_t begin, std::uint64_t end);

  ParkingLot lot_;
  ScanMemory memory_;
  scan::BlockIndex index_;
  scan::RangeList not_roots_;
  Range ranges_[kMaxRanges];
  ThreadBlock thread_blocks_[kMaxThreadBlocks];
  std::uint32_t thread_block_count_ = 0;
  std::uint64_t thread_words_[scan::kThreadBlockWords];
  bool knows_thread_ids_ = false;
  std::int32_t own_tid_ = 0;
  std::int32_t pid_ = 0;
  scan::Allocator allocator_ = scan::Allocator::kGlibc;
  Range libc_;
  std::uint64_t root_bytes_ = 0;
};

void Scan::Run(ScanEnv& env, const CallerState& caller, ReachResult& result) {
  const std::uint64_t begin = raw::PreciseNs();
  own_tid_ = static_cast<std::int32_t>(raw::Call(SYS_gettid));
  pid_ = static_cast<std::int32_t>(raw::Call(SYS_getpid));
  allocator_ = g_real.smallest_request == 0 ? scan::Allocator::kGlibc
                                            : scan::Allocator::kOther;
  result.reason = lot_.Park(kParkTimeoutNs);
  if (result.reason == ScanReason::kNone) {
    lot_.ForEach([&result](const ParkedThread&) { ++result.threads; });
    result.reason = memory_.Open(begin + kTimeoutNs);
    if (result.reason == ScanReason::kNone) result.reason = Prepare(env);
    if (result.reason == ScanReason::kNone) {
      result.reason = Reach(env, caller, result);
    }
    memory_.Close();
  }
  result.root_bytes = root_bytes_;
  result.pause_ns = raw::PreciseNs() - begin;
  lot_.Release();
}

ScanReason Scan::Prepare(ScanEnv& env) {
  not_roots_.Attach(ranges_, kMaxRanges);
  if (!index_.Build(env, g_books->objects())) return ScanReason::kNoMemory;
  LoadedObject libc;
  if (FindLoadedObject(
          AddressOf(reinterpret_cast<const void*>(&pthread_key_create)),
          &libc)) {
    libc_ = {libc.start, libc.end};
  }
  return ScanReason::kNone;
}

ScanReason Scan::Reach(ScanEnv& env, const CallerState& caller,
                       ReachResult& result) {
  result.blocks = index_.blocks();
  if (result.blocks == 0) return ScanReason::kNone;
  auto* const list = static_cast<std::uint64_t*>(
      env.MapPrivate(result.blocks * sizeof(std::uint64_t)));
  if (list == nullptr) return ScanReason::kNoMemory;
  FindThreadBlocks();
  AddDeadStacks(caller);
  AddOwnMemory();
  for (const Mapping& mapping : memory_) {
    if (mapping.readable && mapping.writable && !mapping.shared &&
        mapping.anonymous()) {
      scan::AddHeapAreas(memory_, allocator_, index_, mapping, not_roots_);
    }
  }
  index_.ForEach([this](std::uint64_t block) {
    scan::AddLargeBlock(memory_, allocator_, block, index_.SizeOf(block),
                        not_roots_);
    return !not_roots_.overflowed();
  });
  not_roots_.Seal();
  if (not_roots_.overflowed()) return ScanReason::kTooManyMappings;

  BlockMarker marker(memory_, allocator_, index_, list);
  MarkThreads(marker, caller);
  MarkInherited(marker);
  for (const Mapping& mapping : memory_) {
    if (IsRoot(mapping)) MarkMapping(marker, mapping);
  }
  if (memory_.refused()) return ScanReason::kRootsUnreadable;
  if (!marker.Drain()) return ScanReason::kTimeout;

  std::uint64_t unmarked = 0;
  index_.ForEachUnmarked([&unmarked](std::uint64_t) {
    ++unmarked;
    return true;
  });
  if (unmarked == 0) return ScanReason::kNone;
  // Not the scan's own: the result lives on.
  result.leaks = static_cast<scan::LeakedBlock*>(
      raw::MapPrivate(unmarked * sizeof(scan::LeakedBlock)));
  if (result.leaks == nullptr) return ScanReason::kNoMemory;
  result.leak_count = scan::CollectLeaks(index_, result.leaks, unmarked);
  if (!scan::SplitLeaks(marker, index_, result.leaks, result.leak_count,
                        memory_)) {
    return ScanReason::kTimeout;
  }
  return ScanReason::kNone;
}

// --- Threads ---

// glibc puts a guard below every stack that it makes; and whatever a live
// thread runs on is worth a look.
bool Scan::MayHoldThreadBlocks(const Mapping* mapping) const {
  if (!mapping->readable || !mapping->writable || mapping->shared ||
      !mapping->anonymous() || mapping->kind != Mapping::Kind::kPlain) {
    return false;
  }
  if (mapping != memory_.begin()) {
    const Mapping& below = mapping[-1];
    if (below.end == mapping->start && !below.readable && !below.writable) {
      return true;
    }
  }
  bool used = false;
  lot_.ForEach([&](const ParkedThread& thread) {
    used = used || (thread.rsp >= mapping->start && thread.rsp < mapping->end);
  });
  return used;
}

void Scan::FindThreadBlocks() {
  const std::uint64_t own = AddressOf(__builtin_thread_pointer());
  if (!memory_.Copy(own, thread_words_, sizeof thread_words_)) return;
  const ThreadBlock block = scan::ReadThreadBlock(own, thread_words_);
  knows_thread_ids_ =
      scan::LooksLikeThreadBlock(own, thread_words_) && block.tid == own_tid_;
  if (!knows_thread_ids_) return;
  thread_blocks_[thread_block_count_++] = block;
  for (const Mapping& mapping : memory_) {
    if (MayHoldThreadBlocks(&mapping)) FindThreadBlocksIn(mapping);
  }
}

void Scan::FindThreadBlocksIn(const Mapping& mapping) {
  constexpr std::size_t kStep = scan::kThreadBlockAlignment / 8;
  memory_.ForEachRun(
      mapping, mapping.start, mapping.end,
      [this](std::uint64_t address, const std::uint64_t* words,
             std::size_t count) {
        for (std::size_t i = 0; i + 2 < count; i += kStep) {
          const std::uint64_t at = address + i * 8;
          if (!scan::LooksLikeThreadBlock(at, words + i)) continue;
          if (thread_block_count_ == kMaxThreadBlocks) return;
          if (!memory_.Copy(at, thread_words_, sizeof thread_words_)) continue;
          const ThreadBlock block = scan::ReadThreadBlock(at, thread_words_);
          if (block.stack_low != 0 && block.tid != own_tid_) {
            thread_blocks_[thread_block_count_++] = block;
          }
        }
      });
}

const ThreadBlock* Scan::BlockOfThread(std::int32_t tid) const {
  for (std::uint32_t i = 0; i < thread_block_count_; ++i) {
    if (thread_blocks_[i].tid == tid) return &thread_blocks_[i];
  }
  return nullptr;
}

LiveStack Scan::StackOf(const ParkedThread& thread) {
  // A thread that waits in a system call has nothing below its stack pointer:
  // the function around it is no leaf.
  constexpr std::uint8_t kSyscall[2] = {0x0f, 0x05};
  std::uint8_t code[2] = {};
  const bool in_kernel = memory_.Copy(thread.rip - 2, code, sizeof code) &&
                         code[0] == kSyscall[0] && code[1] == kSyscall[1];
  return {thread.rsp, in_kernel ? 0 : unwind::kRedZoneBytes};
}

void Scan::AddDeadStacks(const CallerState& caller) {
  // Our own frames hold addresses that we have met.
  const std::uint64_t here = AddressOf(__builtin_frame_address(0));
  not_roots_.Add(here - kOwnFrameBytes, caller.rsp);
  AddDeadStackOf(own_tid_, {caller.rsp, 0});
  lot_.ForEach([this](const ParkedThread& thread) {
    AddDeadStackOf(thread.tid, StackOf(thread));
  });
  for (std::uint32_t i = 0; i < thread_block_count_; ++i) {
    const ThreadBlock& ended = thread_blocks_[i];
    if (ended.tid > 0 || ended.stack_low == 0) continue;
    // Its vector of thread-local modules is used again by the next thread.
    const std::uint64_t vector = ended.address + scan::kThreadVectorOffset;
    not_roots_.Add(ended.stack_low, vector);
    not_roots_.Add(vector + 8, ended.stack_high);
  }
}

void Scan::AddDeadStackOf(std::int32_t tid, const LiveStack& stack) {
  const std::uint64_t live = stack.rsp - stack.red_zone;
  if (tid == pid_) {
    const Mapping* const mapping = memory_.Find(stack.rsp);
    if (mapping != nullptr && mapping->kind == Mapping::Kind::kStack) {
      not_roots_.Add(mapping->start, live);
    }
    return;
  }
  const ThreadBlock* const block = BlockOfThread(tid);
  // Elsewhere it runs on a stack of the program's, whose end is not known.
  if (block == nullptr || stack.rsp < block->stack_low ||
      stack.rsp >= block->address) {
    return;
  }
  not_roots_.Add(block->stack_low, live);
}

// The part of the stack that is in use, and the thread-local storage above it:
// also where a window of the allocator covers them.
void Scan::MarkStackOf(BlockMarker& marker, std::int32_t tid,
                       const LiveStack& stack) {
  const Mapping* const mapping = memory_.Find(stack.rsp);
  const ThreadBlock* const block = BlockOfThread(tid);
  const auto mark = [&](const Mapping& in, std::uint64_t low,
                        std::uint64_t high) {
    if (low < in.start) low = in.start;
    if (high > in.end) high = in.end;
    if (low >= high) return;
    root_bytes_ += memory_.ForEachRun(
        in, low, high,
        [&](std::uint64_t, const std::uint64_t* words, std::size_t count) {
          MarkWords(marker, words, count);
        });
  };
  const std::uint64_t live = stack.rsp - stack.red_zone;
  if (mapping != nullptr && mapping->kind == Mapping::Kind::kStack) {
    mark(*mapping, live, mapping->end);
  }
  if (block == nullptr) return;
  const Mapping* const storage = memory_.Find(block->address);
  if (storage == nullptr) return;
  if (block->stack_low == 0) {
    // The main thread's, on its own.
    mark(*storage, block->address - scan::kAboveThreadBlock,
         block->address + scan::kThreadBlockWords * 8);
  } else {
    const bool on_it =
        stack.rsp >= block->stack_low && stack.rsp < block->stack_high;
    mark(*storage, on_it ? live : block->stack_low, block->stack_high);
  }
}

void Scan::MarkThreads(BlockMarker& marker, const CallerState& caller) {
  MarkWords(marker, caller.registers, 6);
  MarkWords(marker, &caller.rsp, 1);
  MarkStackOf(marker, own_tid_, {caller.rsp, 0});
  lot_.ForEach([&](const ParkedThread& thread) {
    MarkWords(marker, thread.registers, ParkedThread::kRegisters);
    MarkWords(marker, thread.vectors, ParkedThread::kVectorWords);
    MarkStackOf(marker, thread.tid, StackOf(thread));
  });
}

// --- Memory ---

void Scan::AddOwnMemory() {
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

bool Scan::IsRoot(const Mapping& mapping) const {
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

void Scan::MarkWords(BlockMarker& marker, const std::uint64_t* words,
                     std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    marker.Reach(marker.BlockOf(words[i]));
  }
}

void Scan::MarkMapping(BlockMarker& marker, const Mapping& mapping) {
  not_roots_.ForEachGap(
      mapping.start, mapping.end, [&](std::uint64_t low, std::uint64_t high) {
        const std::uint64_t libc_low = low > libc_.start ? low : libc_.start;
        const std::uint64_t libc_high = high < libc_.end ? high : libc_.end;
        const auto mark = [&](std::uint64_t from, std::uint64_t to) {
          if (from >= to) return;
          root_bytes_ += memory_.ForEachRun(
              mapping, from, to,
              [&](std::uint64_t, const std::uint64_t* words,
                  std::size_t count) { MarkWords(marker, words, count); });
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

void Scan::MarkExact(BlockMarker& marker, const Mapping& mapping,
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
void Scan::MarkInherited(BlockMarker& marker) {
  const std::uint32_t end = g_books->file().header().inherited_end;
  if (end == 0) return;
  index_.ForEach([&](std::uint64_t block) {
    if (index_.CallsiteOf(block) < end) marker.Reach(block);
    return true;
  });
}

}  // namespace

ReachResult FindUnreachable(const CallerState& caller) {
  ReachResult result;
  void* const memory = raw::MapPrivate(sizeof(Scan));
  if (memory == nullptr) {
    result.reason = ScanReason::kNoMemory;
    return result;
  }
  ScanEnv env;
  auto* const scan = static_cast<Scan*>(memory);
  scan->Run(env, caller, result);
  env.ReleaseAll();
  // The parking lot stays: a late signal may still ask for it.
  return result;
}

}  // namespace heapledger::preload
