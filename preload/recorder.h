// SPDX-License-Identifier: Apache-2.0
// From an interposed call to the books: the hot path. Nothing here decides what
// to count (core/books.h) or how to walk (unwind/); it only brings the thread's
// state, the stack and the block together.
//
// What is inline is what a call costs whose stack the thread's memo knows; all
// else is behind one call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "preload/lifecycle.h"
#include "preload/unwind/registers.h"
#include "preload/unwind/walker.h"

namespace heapledger::preload {

// The caller of the exported function in which this is expanded, as it will be
// right after the return.
#define HEAPLEDGER_CALLER()                                               \
  ::heapledger::preload::unwind::Registers {                              \
    reinterpret_cast<std::uint64_t>(__builtin_return_address(0)),         \
        reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)) + 16, \
        *static_cast<const std::uint64_t*>(__builtin_frame_address(0))    \
  }

namespace recorder_internal {

inline std::uint64_t Address(const void* at) {
  return reinterpret_cast<std::uint64_t>(at);
}

inline bool HasState(const ThreadState* state) { return state > kThreadGone; }

inline ThreadState* CurrentThread() {
  ThreadState* const state = t_state;
  if (HasState(state)) [[likely]]
    return state;
  return AttachThread();
}

// The slow ways of RecordAllocated(), which end a call: so the fast path holds
// nothing over them. They take the caller's registers one by one, so that these
// need not lie in memory, and return the block.

// For a thread without a state: its first call, or its last.
void* RecordWithoutState(std::uint64_t pc, std::uint64_t rsp, std::uint64_t rbp,
                         void* block, std::size_t bytes);

// For a stack that the memo's first place does not know. REQUIRES: the guard is
// held.
void* RecordUnknown(std::uint64_t pc, std::uint64_t rsp, std::uint64_t rbp,
                    void* block, std::size_t bytes, ThreadState* state);

// For what TryAllocated() left to do.
using HotBooks = Books<TargetEnv>;
void* RecordElsewhere(HotBooks::Booked booked, ThreadState* state, void* block,
                      std::size_t bytes, std::uint32_t callsite);

// For a signal handler that interrupted us on this thread.
void* RecordInside(std::uint64_t pc, std::uint64_t rsp, std::uint64_t rbp,
                   void* block, std::size_t bytes, ThreadState* state);

// For a thread whose state a handler took over while it was held.
void* RecordAfterTakeover(std::uint64_t pc, std::uint64_t rsp,
                          std::uint64_t rbp, void* block, std::size_t bytes,
                          ThreadState* state);

// The callsite of a stack that the memo's first place does not know.
// REQUIRES, here and below: the guard is held.
std::uint32_t UnknownCallsite(ThreadState* state,
                              const unwind::Registers& caller);

// CallsiteFlag bits of a stack that a walk gave; counts what it lacks.
std::uint32_t FlagsOfWalk(const unwind::WalkResult& walk);

// Learns from a walk how far the thread's stack reaches.
void LearnStackFrom(ThreadState* state, const unwind::Registers& caller,
                    const unwind::WalkResult& walk);

// Serves what the control word asks, drops what the thread remembers of stacks
// where other modules may be mapped, and follows it into another scope.
void Attend(ThreadState* state);

#ifdef HEAPLEDGER_CHECK_STACKS
// Compares the stack that a callsite stands for with a walk that makes use of
// nothing remembered.
void CheckStack(const ThreadState* state, const unwind::Registers& caller,
                std::uint32_t callsite);
#else
inline void CheckStack(const ThreadState*, const unwind::Registers&,
                       std::uint32_t) {}
#endif

}  // namespace recorder_internal

// Books a block in full and returns it.
// REQUIRES: the gate is kActive; block is not null.
[[gnu::always_inline]] inline void* RecordAllocated(
    const unwind::Registers& caller, void* block, std::size_t bytes) {
  using namespace recorder_internal;
  ThreadState* const state = t_state;
  if (!HasState(state)) [[unlikely]] {
    return RecordWithoutState(caller.pc, caller.rsp, caller.rbp, block, bytes);
  }
  if (!state->guard.Enter(caller.rsp)) [[unlikely]] {
    return RecordInside(caller.pc, caller.rsp, caller.rbp, block, bytes, state);
  }
  const std::uint32_t callsite = state->CurrentAttention() == state->attention
                                     ? state->memo.FindLast(caller)
                                     : 0;
  if (callsite == 0) [[unlikely]] {
    return RecordUnknown(caller.pc, caller.rsp, caller.rbp, block, bytes,
                         state);
  }
  if (!state->guard.Leave(caller.rsp)) [[unlikely]] {
    return RecordAfterTakeover(caller.pc, caller.rsp, caller.rbp, block, bytes,
                               state);
  }
  CheckStack(state, caller, callsite);
  const auto booked =
      HotBooks::TryAllocated(state, Address(block), bytes, callsite);
  if (booked != HotBooks::Booked::kYes) [[unlikely]] {
    return RecordElsewhere(booked, state, block, bytes, callsite);
  }
  return block;
}

// Books a block with as much of its stack as the governor allows and returns
// it. REQUIRES: the gate is kAdaptive; block is not null.
void* RecordAdaptive(const unwind::Registers& caller, void* block,
                     std::size_t bytes);

// Books a block as the gate says and returns it.
// REQUIRES: the gate was seen above kOff; block is not null.
void* RecordByGate(std::uint64_t pc, std::uint64_t rsp, std::uint64_t rbp,
                   void* block, std::size_t bytes);

[[gnu::always_inline]] inline void* Record(const unwind::Registers& caller,
                                           void* block, std::size_t bytes) {
  if (CurrentGate() == Gate::kActive) [[likely]] {
    return RecordAllocated(caller, block, bytes);
  }
  return RecordByGate(caller.pc, caller.rsp, caller.rbp, block, bytes);
}

// Takes a block out of the map, before the real allocator may give its address
// to somebody else. callsite kNoCallsite: it was never booked.
// REQUIRES, here and below: the gate was seen above kOff.
BlockRecord TakeByGate(void* block);

inline BlockRecord TakeBlock(void* block) {
  if (CurrentGate() >= Gate::kAdaptive) [[likely]] {
    return g_books->Take(recorder_internal::Address(block));
  }
  return TakeByGate(block);
}

// Puts a block back that TakeBlock() gave: the real allocator refused.
inline void PutBlockBack(void* block, const BlockRecord& record) {
  g_books->PutBack(recorder_internal::Address(block), record);
}

// Books a block that TakeBlock() gave as freed.
void RecordFreed(void* block, const BlockRecord& record);

// Takes and books a block where that is quick; false where nothing was done.
// REQUIRES: the gate is kAdaptive or kActive.
[[gnu::always_inline]] inline bool TryTakeAndRecordFreed(void* block) {
  ThreadState* const state = t_state;
  return recorder_internal::HasState(state) &&
         recorder_internal::HotBooks::TryTakeAndFree(
             state, recorder_internal::Address(block));
}

// Sampled mode: whether the calling thread takes a block of this size as a
// sample, or has to find out in RecordTaken().
inline bool TakesSample(std::size_t bytes) {
  ThreadState* const state = t_state;
  return !recorder_internal::HasState(state) || state->sampler.Take(bytes);
}

// Books a block that TakesSample() said yes to, and returns it.
void* RecordTaken(const unwind::Registers& caller, void* block,
                  std::size_t bytes);

// Whether a block may be a sample, or one from before the start.
inline bool MightBeSample(const void* block) {
  return g_samples.MightHold(recorder_internal::Address(block));
}

// Counts a free of a block that was never booked, unless that is as it must be.
void CountForeignFree();

}  // namespace heapledger::preload
