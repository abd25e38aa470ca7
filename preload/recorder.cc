// SPDX-License-Identifier: Apache-2.0
#include "preload/recorder.h"

#include <pthread.h>

#include "preload/ignored.h"
#include "preload/real_malloc.h"
#include "preload/tags.h"
#include "preload/unwind/frame_pointer.h"
#include "preload/unwind/incremental_walk.h"
#include "preload/unwind/walker.h"

namespace heapledger::preload {
namespace {

static_assert(StackView::kExactPc == unwind::kExactPcBit);

// What is above a thread's own stack: glibc puts the thread's control block,
// which the thread pointer points to, on top of it.
constexpr std::uint64_t kControlBlockReach = 64 << 10;

// Whether a frame is where libc started the thread: it has no caller, by libc's
// own word. The end of a coroutine has none either, but is planted.
bool IsThreadStart(std::uint64_t pc) {
  unwind::RuleCache& rules = g_process->env.rule_cache();
  const unwind::RuleCode code = rules.Find(pc - 1);
  return code != unwind::kNoRuleCode &&
         rules.RuleOf(code).kind == unwind::RuleKind::kEndOfStack &&
         InSameObject(reinterpret_cast<const void*>(pc),
                      reinterpret_cast<const void*>(&pthread_key_create));
}

// Learns the extent of the thread's stack from a walk that went deeper than any
// before: a complete one without a signal frame in it, up to the thread's start
// right below the control block, covers one stretch of stack.
[[gnu::noinline, gnu::cold]] void LearnStack(ThreadState* state,
                                             std::uint64_t rsp) {
  const std::uint64_t top =
      recorder_internal::Address(__builtin_thread_pointer());
  const unwind::LastStack& last = state->last_stack;
  if (last.top < unwind::LastStack::kOutermost) return;
  const unwind::FramePlace& start = last.places[unwind::LastStack::kOutermost];
  if (start.rsp < rsp || start.rsp >= top ||
      top - start.rsp > kControlBlockReach || !IsThreadStart(start.pc)) {
    return;
  }
  // To the page: what lies on it can be read, and it is not learned so often.
  state->SetStack(
      {rsp / unwind::kStackPageBytes * unwind::kStackPageBytes, top});
}

// What the ledger says of a stack that a walk gave.
[[gnu::always_inline]] inline std::uint32_t FlagsOf(
    const unwind::WalkResult& walk) {
  if (walk.end == unwind::WalkEnd::kTruncated) [[unlikely]] {
    g_books->file().CountDegraded(ledger::Degraded::kStackTruncated);
    return ledger::kCallsiteTruncated;
  }
  if (walk.incomplete()) [[unlikely]] {
    g_books->file().CountDegraded(ledger::Degraded::kStackIncomplete);
    return ledger::kCallsiteIncomplete;
  }
  return 0;
}

// Walks into `frames`, as deep as there is room, the mode and the setting say,
// without making use of earlier walks.
StackView WalkAfresh(const unwind::Registers& caller,
                     const unwind::StackBounds& bounds, std::uint64_t* frames,
                     std::uint32_t capacity) {
  Process& process = *g_process;
  StackView stack;
  stack.frames = frames;
  if (process.config.stack_mode == ledger::StackMode::kCaller) {
    frames[0] = caller.pc;
    stack.depth = 1;
    stack.flags = ledger::kCallsiteCallerOnly | TagBits(t_tag);
    return stack;
  }
  const std::uint32_t depth =
      process.config.max_depth < capacity ? process.config.max_depth : capacity;
  const unwind::WalkResult walk =
      process.config.stack_mode != ledger::StackMode::kFramePointer
          ? unwind::Walk(process.env, caller, bounds, frames, depth)
          : unwind::WalkFramePointers(caller, bounds, frames, depth);
  stack.depth = walk.depth;
  stack.flags = FlagsOf(walk) | TagBits(t_tag);
  return stack;
}

// The node of the thread's last stack. Nodes that it found are kept with the
// frames, so that a new stack costs what is new in it.
template <typename Extend>
[[gnu::noinline]] std::uint32_t NodeOfLast(unwind::LastStack& last,
                                           Extend&& extend) {
  std::uint32_t known = last.top;
  while (known >= unwind::LastStack::kOutermost &&
         last.facts[known].links.node == 0) {
    --known;
  }
  std::uint32_t node =
      known < unwind::LastStack::kOutermost ? 0 : last.facts[known].links.node;
  while (known < last.top) {
    ++known;
    node = extend(node, last.places[known].pc);
    if (node == 0) return 0;
    last.facts[known].links.node = node;
  }
  return node;
}

// The callsite by a walk from the thread's last stack.
inline std::uint32_t WalkedCallsite(ThreadState* state,
                                    const unwind::Registers& caller) {
  Process& process = *g_process;
  unwind::LastStack& last = state->last_stack;
  const unwind::WalkResult walk = unwind::WalkFromLast(
      process.env, caller, state->stack, process.config.max_depth, &last);
  const std::uint32_t id = g_books->CallsiteOf(
      StackKey::Of(last.hash(), walk.depth,
                   FlagsOf(walk) | TagBits(state->memo.tag())),
      [&](auto&& extend) {
        const std::uint32_t node = NodeOfLast(last, extend);
        // A handler that took over has left its own stack in `last`.
        return state->guard.IsHeldBy(caller.rsp)
                   ? node
                   : recorder_internal::HotBooks::kNodeUnknown;
      });
  // Booked next: fetched while the memo takes the stack.
  __builtin_prefetch(state->own_counters->AtKnown(id), 1);
  state->memo.Offer(caller, last, id);
  if (caller.rsp < state->stack.low && walk.end == unwind::WalkEnd::kComplete &&
      !walk.used_frame_pointers && !walk.used_signal_frame) [[unlikely]] {
    LearnStack(state, caller.rsp);
  }
  return id;
}

// The callsite by a walk of another kind.
[[gnu::noinline]] std::uint32_t CallsiteAfresh(
    ThreadState* state, const unwind::Registers& caller) {
  return g_books->CallsiteOf(
      WalkAfresh(caller, state->stack, state->frames, ledger::kMaxStackDepth));
}

}  // namespace

namespace recorder_internal {

[[gnu::noinline]] std::uint32_t UnknownCallsite(
    ThreadState* state, const unwind::Registers& caller) {
  if (t_ignoring != 0) [[unlikely]] {
    // Not to be remembered: the next one may be of another kind.
    StackView stack =
        WalkAfresh(caller, state->stack, state->frames, ledger::kMaxStackDepth);
    stack.flags |= ledger::kCallsiteIgnored;
    return g_books->CallsiteOf(stack);
  }
  const ledger::StackMode mode = g_process->config.stack_mode;
  if (mode != ledger::StackMode::kFull && mode != ledger::StackMode::kAdaptive)
      [[unlikely]] {
    return CallsiteAfresh(state, caller);
  }
  if (const std::uint32_t id = state->memo.Find(caller)) return id;
  return WalkedCallsite(state, caller);
}

[[gnu::noinline]] void Attend(ThreadState* state) {
  if (state->remembered != g_books->attention()) {
    ServeControl();
    state->remembered = g_books->attention();
    state->ForgetStacks();
  }
  // Again where a handler came in between that did not leave its scopes.
  std::uint32_t tag;
  do {
    tag = t_tag;
    state->memo.SwitchTo(tag);
    // While a thread ignores what it allocates, every call comes this way.
    state->attention = t_ignoring == 0 ? state->remembered : 0;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } while (tag != t_tag);
}

namespace {

// No cache, and room for fewer frames, as this is the target's stack.
std::uint32_t CallsiteWithoutState(const unwind::Registers& caller) {
  std::uint64_t frames[48];
  return g_books->CallsiteOf(WalkAfresh(caller, {}, frames, 48));
}

}  // namespace

[[gnu::noinline]] void* RecordUnknown(std::uint64_t pc, std::uint64_t rsp,
                                      std::uint64_t rbp, void* block,
                                      std::size_t bytes, ThreadState* state) {
  const unwind::Registers caller{pc, rsp, rbp};
  // Needed once the stack is known: fetched while it is walked.
  __builtin_prefetch(state->objects.Find(Address(block)), 1);
  if (state->attention != g_books->attention()) [[unlikely]] {
    Attend(state);
  }
  const std::uint32_t callsite = UnknownCallsite(state, caller);
  if (!state->guard.Leave(rsp)) [[unlikely]] {
    return RecordAfterTakeover(pc, rsp, rbp, block, bytes, state);
  }
  CheckStack(state, caller, callsite);
  g_books->Allocated(state, Address(block), bytes, callsite);
  return block;
}

[[gnu::noinline]] void* RecordElsewhere(HotBooks::Booked booked,
                                        ThreadState* state, void* block,
                                        std::size_t bytes,
                                        std::uint32_t callsite) {
  if (booked == HotBooks::Booked::kNewHigh) {
    Rise(g_books->file().header(), *state->shard_header);
  } else {
    g_books->AllocatedElsewhere(state, Address(block), bytes, callsite);
  }
  return block;
}

[[gnu::noinline, gnu::cold]] void* RecordInside(std::uint64_t pc,
                                                std::uint64_t rsp,
                                                std::uint64_t rbp, void* block,
                                                std::size_t bytes,
                                                ThreadState* state) {
  g_books->AllocatedElsewhere(state, Address(block), bytes,
                              CallsiteWithoutState({pc, rsp, rbp}));
  return block;
}

[[gnu::noinline, gnu::cold]] void* RecordAfterTakeover(
    std::uint64_t pc, std::uint64_t rsp, std::uint64_t rbp, void* block,
    std::size_t bytes, ThreadState* state) {
  state->ForgetStacks();
  return RecordInside(pc, rsp, rbp, block, bytes, state);
}

[[gnu::noinline, gnu::cold]] void* RecordWithoutState(std::uint64_t pc,
                                                      std::uint64_t rsp,
                                                      std::uint64_t rbp,
                                                      void* block,
                                                      std::size_t bytes) {
  ThreadState* const state = AttachThread();
  if (state != nullptr) {
    return RecordAllocated({pc, rsp, rbp}, block, bytes);
  }
  return RecordInside(pc, rsp, rbp, block, bytes, nullptr);
}

#ifdef HEAPLEDGER_CHECK_STACKS
[[gnu::noinline]] void CheckStack(const ThreadState* state,
                                  const unwind::Registers& caller,
                                  std::uint32_t callsite) {
  std::uint64_t reference_frames[ledger::kMaxStackDepth];
  std::uint64_t frames[ledger::kMaxStackDepth];
  if (callsite == ledger::kOverflowCallsite) return;
  const StackView reference = WalkAfresh(caller, state->stack, reference_frames,
                                         ledger::kMaxStackDepth);
  std::uint32_t flags = 0;
  const std::uint32_t depth = g_books->callsites().Read(
      callsite, frames, ledger::kMaxStackDepth, &flags);
  flags &= ~std::uint32_t{ledger::kCallsiteIgnored};
  bool same = depth == reference.depth && flags == reference.flags;
  for (std::uint32_t i = 0; same && i < depth; ++i) {
    same = frames[i] == reference.frames[i];
  }
  if (!same) g_books->file().CountDegraded(ledger::Degraded::kStackDoubt);
}
#endif

std::uint32_t FlagsOfWalk(const unwind::WalkResult& walk) {
  return FlagsOf(walk);
}

void LearnStackFrom(ThreadState* state, const unwind::Registers& caller,
                    const unwind::WalkResult& walk) {
  if (caller.rsp < state->stack.low && walk.end == unwind::WalkEnd::kComplete &&
      !walk.used_frame_pointers && !walk.used_signal_frame) [[unlikely]] {
    LearnStack(state, caller.rsp);
  }
}

}  // namespace recorder_internal

void CountForeignFree() {
  if (g_process->armed_late.load(std::memory_order_relaxed)) return;
  g_books->file().CountDegraded(ledger::Degraded::kForeignFree);
}

}  // namespace heapledger::preload
