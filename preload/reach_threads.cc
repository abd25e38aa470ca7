// SPDX-License-Identifier: Apache-2.0
// Threads of a scan: where their stacks are, and what lives on them.
#include "preload/raw_io.h"
#include "preload/reach_scan.h"
#include "preload/unwind/stack_bounds.h"

namespace heapledger::preload {

using scan::Mapping;
using scan::ThreadBlock;

namespace {

// How far below its callers the scan's own frames reach.
constexpr std::uint64_t kOwnFrameBytes = 4096;

std::uint64_t AddressOf(const void* at) {
  return reinterpret_cast<std::uint64_t>(at);
}

}  // namespace

// glibc puts a guard below every stack that it makes; and whatever a live
// thread runs on is worth a look.
bool ReachScan::MayHoldThreadBlocks(const Mapping* mapping) const {
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

void ReachScan::FindThreadBlocks() {
  thread_block_count_ = 0;
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

void ReachScan::FindThreadBlocksIn(const Mapping& mapping) {
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

const ThreadBlock* ReachScan::BlockOfThread(std::int32_t tid) const {
  for (std::uint32_t i = 0; i < thread_block_count_; ++i) {
    if (thread_blocks_[i].tid == tid) return &thread_blocks_[i];
  }
  return nullptr;
}

bool ReachScan::ReadThreadBlockAt(std::uint64_t address, ThreadBlock* block) {
  if (!memory_.Copy(address, thread_words_, sizeof thread_words_) ||
      !scan::LooksLikeThreadBlock(address, thread_words_)) {
    return false;
  }
  *block = scan::ReadThreadBlock(address, thread_words_);
  return true;
}

LiveStack ReachScan::StackOf(const ParkedThread& thread) {
  // A thread that waits in a system call has nothing below its stack pointer:
  // the function around it is no leaf.
  constexpr std::uint8_t kSyscall[2] = {0x0f, 0x05};
  std::uint8_t code[2] = {};
  const bool in_kernel = memory_.Copy(thread.rip - 2, code, sizeof code) &&
                         code[0] == kSyscall[0] && code[1] == kSyscall[1];
  return {thread.rsp, in_kernel ? 0 : unwind::kRedZoneBytes};
}

void ReachScan::AddDeadStacks(const CallerState* caller) {
  if (caller != nullptr) {
    // Our own frames hold addresses that we have met.
    const std::uint64_t here = AddressOf(__builtin_frame_address(0));
    not_roots_.Add(here - kOwnFrameBytes, caller->rsp);
    AddDeadStackOf(own_tid_, {caller->rsp, 0});
  }
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

void ReachScan::AddDeadStackOf(std::int32_t tid, const LiveStack& stack) {
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

void ReachScan::AddWholeStacks() {
  for (std::uint32_t i = 0; i < thread_block_count_; ++i) {
    not_roots_.Add(thread_blocks_[i].stack_low, thread_blocks_[i].stack_high);
  }
  for (const Mapping& mapping : memory_) {
    if (mapping.kind == Mapping::Kind::kStack) {
      not_roots_.Add(mapping.start, mapping.end);
    }
  }
}

// The part of the stack that is in use, and the thread-local storage above it:
// also where a window of the allocator covers them.
void ReachScan::MarkStackOf(BlockMarker& marker, std::int32_t tid,
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

void ReachScan::MarkThreads(BlockMarker& marker, const CallerState* caller) {
  if (caller != nullptr) {
    MarkWords(marker, caller->registers, 6);
    MarkWords(marker, &caller->rsp, 1);
    MarkStackOf(marker, own_tid_, {caller->rsp, 0});
  }
  lot_.ForEach([&](const ParkedThread& thread) {
    MarkWords(marker, thread.registers, ParkedThread::kRegisters);
    MarkWords(marker, thread.vectors, ParkedThread::kVectorWords);
    MarkStackOf(marker, thread.tid, StackOf(thread));
  });
}

}  // namespace heapledger::preload
