// SPDX-License-Identifier: Apache-2.0
#include "preload/recorder.h"

#include "preload/unwind/frame_pointer.h"
#include "preload/unwind/walker.h"

namespace heapledger::preload {
namespace {

static_assert(StackView::kExactPc == unwind::kExactPcBit);

std::uint64_t Address(const void* at) {
  return reinterpret_cast<std::uint64_t>(at);
}

inline ThreadState* CurrentThread() {
  ThreadState* const state = t_state;
  if (state > kThreadGone) [[likely]]
    return state;
  return AttachThread();
}

// What is above a thread's own stack: glibc puts the thread's control block,
// which the thread pointer points to, on top of it.
constexpr std::uint64_t kControlBlockReach = 64 << 10;

// Learns the extent of the thread's stack from a walk that went deeper than any
// before: a complete one without a signal frame in it covers one stretch of
// stack, and one that ends below the control block covers the thread's own.
[[gnu::noinline, gnu::cold]] void LearnStack(ThreadState* state,
                                             std::uint64_t rsp,
                                             const unwind::WalkResult& walk) {
  const auto top = Address(__builtin_thread_pointer());
  const std::uint64_t outermost = walk.outermost_rsp;
  if (outermost <= rsp || outermost >= top ||
      top - outermost > kControlBlockReach) {
    return;
  }
  for (std::uint32_t i = 0; i < walk.depth; ++i) {
    if ((state->frames[i] & unwind::kExactPcBit) != 0) return;
  }
  state->stack_low = rsp;
  state->stack_high = top;
}

// Walks into `frames`, as deep as there is room, the mode and the setting say.
inline StackView WalkStack(ThreadState* state, const unwind::Registers& caller,
                           std::uint64_t* frames, std::uint32_t capacity) {
  Process& process = *g_process;
  StackView stack;
  stack.frames = frames;
  if (process.config.stack_mode == ledger::StackMode::kCaller) {
    frames[0] = caller.pc;
    stack.depth = 1;
    stack.flags = ledger::kCallsiteCallerOnly;
    return stack;
  }
  const std::uint32_t depth =
      process.config.max_depth < capacity ? process.config.max_depth : capacity;
  unwind::StackBounds bounds;
  if (state != nullptr) bounds = {state->stack_low, state->stack_high};
  const unwind::WalkResult walk =
      process.config.stack_mode == ledger::StackMode::kFull
          ? unwind::Walk(process.env, caller, bounds, frames, depth)
          : unwind::WalkFramePointers(caller, bounds, frames, depth);
  stack.depth = walk.depth;
  if (state != nullptr && caller.rsp < state->stack_low &&
      walk.end == unwind::WalkEnd::kComplete && !walk.used_frame_pointers)
      [[unlikely]] {
    LearnStack(state, caller.rsp, walk);
  }
  if (walk.end == unwind::WalkEnd::kTruncated) {
    stack.flags = ledger::kCallsiteTruncated;
    process.books->file().CountDegraded(ledger::Degraded::kStackTruncated);
  } else if (walk.incomplete()) {
    stack.flags = ledger::kCallsiteIncomplete;
    process.books->file().CountDegraded(ledger::Degraded::kStackIncomplete);
  }
  return stack;
}

// For a signal handler that interrupted us on this thread, and for a thread
// whose state is gone: no cache, and room for fewer frames, as this is the
// target's stack.
[[gnu::noinline, gnu::cold]] std::uint32_t CallsiteWithoutState(
    const unwind::Registers& caller) {
  std::uint64_t frames[48];
  return g_process->books->CallsiteOf(WalkStack(nullptr, caller, frames, 48),
                                      nullptr);
}

inline std::uint32_t CallsiteFor(ThreadState* state,
                                 const unwind::Registers& caller) {
  const std::uint64_t here = Address(__builtin_frame_address(0));
  if (state == nullptr || !state->guard.Enter(here)) [[unlikely]] {
    return CallsiteWithoutState(caller);
  }
  const StackView stack =
      WalkStack(state, caller, state->frames, ledger::kMaxStackDepth);
  const std::uint32_t id = g_process->books->CallsiteOf(stack, &state->cache);
  if (!state->guard.Leave(here)) [[unlikely]] {
    // A handler took over and walked into our frames.
    state->cache.Clear();
    return CallsiteWithoutState(caller);
  }
  return id;
}

}  // namespace

void RecordAllocated(const unwind::Registers& caller, void* block,
                     std::size_t bytes) {
  ThreadState* const state = CurrentThread();
  const std::uint32_t callsite = CallsiteFor(state, caller);
  g_process->books->Allocated(state, Address(block), bytes, callsite);
}

bool RecordFreed(void* block) {
  const BlockRecord record = TakeBlock(block);
  if (record.callsite == ledger::kNoCallsite) return false;
  RecordFreed(record);
  return true;
}

BlockRecord TakeBlock(void* block) {
  return g_process->books->Take(Address(block));
}

void PutBlockBack(void* block, const BlockRecord& record) {
  g_process->books->PutBack(Address(block), record);
}

void RecordFreed(const BlockRecord& record) {
  g_process->books->Freed(CurrentThread(), record);
}

void CountForeignFree() {
  g_process->books->file().CountDegraded(ledger::Degraded::kForeignFree);
}

}  // namespace heapledger::preload
