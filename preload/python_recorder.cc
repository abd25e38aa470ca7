// SPDX-License-Identifier: Apache-2.0
// A callsite is looked up by two things that are each cheap to have: a number
// for the native stack, from a memo of its own, and a hash of the chain of
// Python frames, all of which are read and compared on every call. Only a
// combination that the thread does not know is walked, merged and interned.
#include "preload/python_recorder.h"

#include "preload/ignored.h"
#include "preload/python_host.h"
#include "preload/python_memory.h"
#include "preload/python_thread.h"
#include "preload/recorder.h"
#include "preload/runtime/python_chain.h"
#include "preload/tags.h"
#include "preload/unwind/incremental_walk.h"

namespace heapledger::preload {
namespace {

using recorder_internal::Address;

// In the hash of a chain, where one loop ends and the next begins.
constexpr std::uint64_t kLoopMark = std::uint64_t{1} << 63;
constexpr std::uint64_t kTruncatedMark = kLoopMark | 1;

// What the thread remembers, as far as it still holds; null where there is no
// memory for it.
PythonThread* Remembered(ThreadState* state) {
  PythonThread* python = state->python;
  if (python == nullptr) [[unlikely]] {
    python = static_cast<PythonThread*>(
        g_process->env.MapPrivate(sizeof(PythonThread)));
    if (python == nullptr) return nullptr;
    state->python = python;
  }
  if (python->attention != state->remembered ||
      python->bounds.low != state->stack.low ||
      python->bounds.high != state->stack.high) [[unlikely]] {
    python->Forget();
    python->attention = state->remembered;
    python->bounds = state->stack;
    python->memo.SetBounds(state->stack);
  }
  return python;
}

[[gnu::noinline]] std::uint64_t LearnPlace(PythonThread::Place& place,
                                           std::uint64_t code,
                                           std::int64_t unit,
                                           const CodeIdentity& who) {
  const std::uint64_t word = PythonWordOf(code, unit, who);
  // A code record that found no room may find some later.
  if (word != 0 && ledger::PythonWord::Code(word) == CodeTable::kNone) {
    return word;
  }
  place.code = 0;
  std::atomic_signal_fence(std::memory_order_release);
  place.unit = unit;
  place.who = who;
  place.word = word;
  std::atomic_signal_fence(std::memory_order_release);
  place.code = code;
  return word;
}

struct Chain {
  PythonChain frames;
  std::uint64_t hash = kEmptyStackHash;
};

// Walks the chain of a thread whose frames stand still. One function for each
// layout: all its offsets are known to the compiler.
template <std::size_t kLayout>
[[gnu::noinline]] Chain TakeChainOf(PythonThread& python,
                                    std::uint64_t thread) {
  constexpr const CpythonLayout& layout = kCpythonLayouts[kLayout];
  const LiveMemory memory;
  std::uint64_t hash = kEmptyStackHash;
  std::uint32_t count = 0;
  std::uint32_t marked = 0;
  std::uint64_t anchor = 0;
  const ChainEnd end = WalkPythonChain(
      layout, memory, thread, g_process->config.max_depth,
      [&](const ChainFrame& frame) __attribute__((always_inline)) {
        PythonThread::Place& place = python.PlaceFor(frame.code, frame.unit);
        const CodeIdentity who = IdentifyCode(layout, memory, frame.code);
        const bool known = place.code == frame.code &&
                           place.unit == frame.unit && place.who == who;
        const std::uint64_t word =
            known ? place.word : LearnPlace(place, frame.code, frame.unit, who);
        if (frame.anchor != anchor) {
          anchor = frame.anchor;
          hash = ExtendStackHash(hash, kLoopMark);
        }
        if (word == 0) return;
        python.chain[count++] = {word, frame.anchor};
        hash = ExtendStackHash(hash, word);
      },
      [&](std::uint64_t entry) {
        for (; marked < count; ++marked) python.chain[marked].anchor = entry;
        hash = ExtendStackHash(hash, kLoopMark);
      });
  Chain chain;
  chain.frames = {python.chain, count, end != ChainEnd::kComplete};
  chain.hash =
      end == ChainEnd::kComplete ? hash : ExtendStackHash(hash, kTruncatedMark);
  return chain;
}

Chain TakeChain(PythonThread& python, std::uint64_t thread) {
  static_assert(sizeof kCpythonLayouts == 6 * sizeof(CpythonLayout));
  switch (g_python.layout - kCpythonLayouts) {
    case 0:
      return TakeChainOf<0>(python, thread);
    case 1:
      return TakeChainOf<1>(python, thread);
    case 2:
      return TakeChainOf<2>(python, thread);
    case 3:
      return TakeChainOf<3>(python, thread);
    case 4:
      return TakeChainOf<4>(python, thread);
    default:
      return TakeChainOf<5>(python, thread);
  }
}

// A walk from the thread's last stack, which it becomes.
[[gnu::noinline]] unwind::WalkResult WalkFromLastStack(
    ThreadState* state, const unwind::Registers& caller) {
  return unwind::WalkFromLast(g_process->env, caller, state->stack,
                              g_process->config.max_depth, &state->last_stack);
}

// Where the chain was cut inside of a loop, the loop is looked for further out.
void FindLastAnchor(PythonThread& python, std::uint64_t thread,
                    const PythonChain& chain) {
  // Of the deepest recursion that programs set limits to.
  constexpr std::uint32_t kReach = 1 << 16;
  if (g_python.layout->chain != FrameChain::kStackFrames || chain.count == 0 ||
      chain.frames[chain.count - 1].anchor != 0) {
    return;
  }
  std::uint32_t passed = 0;
  std::uint64_t found = 0;
  (void)WalkPythonChain(
      *g_python.layout, LiveMemory(), thread, kReach,
      [&](const ChainFrame&) { ++passed; },
      [&](std::uint64_t entry) {
        ++passed;
        if (found == 0 && passed > g_process->config.max_depth) found = entry;
      });
  for (std::uint32_t i = chain.count; i-- > 0;) {
    if (python.chain[i].anchor != 0) break;
    python.chain[i].anchor = found;
  }
}

// The node of a merged stack. Its outer part is mostly that of the one before.
template <typename Extend>
std::uint32_t NodeOfMerged(PythonThread& python, const StackView& stack,
                           Extend&& extend) {
  const std::uint64_t* const outermost = stack.frames + stack.depth - 1;
  std::uint32_t shared = 0;
  while (shared < stack.depth && shared < python.interned &&
         *(outermost - shared) == python.interned_frames[shared]) {
    ++shared;
  }
  // Whoever interrupts this finds nothing that is half done.
  python.interned = shared;
  std::atomic_signal_fence(std::memory_order_release);
  std::uint32_t node = shared == 0 ? 0 : python.interned_nodes[shared - 1];
  for (std::uint32_t i = shared; i < stack.depth; ++i) {
    node = extend(node, *(outermost - i));
    if (node == 0) return 0;
    python.interned_frames[i] = *(outermost - i);
    python.interned_nodes[i] = node;
  }
  std::atomic_signal_fence(std::memory_order_release);
  python.interned = stack.depth;
  return node;
}

// The callsite of the stack that is in `state->last_stack` and of the chain,
// under a tag.
// REQUIRES: the guard is held.
[[gnu::noinline]] std::uint32_t Combine(ThreadState* state,
                                        const unwind::Registers& caller,
                                        const unwind::WalkResult& walk,
                                        const PythonChain& chain,
                                        std::uint32_t tag) {
  const MergedStack merged = MergeStacks(
      state->last_stack, walk.end == unwind::WalkEnd::kComplete, chain,
      g_python.loop, state->frames, g_process->config.max_depth);
  StackView stack{state->frames, merged.depth,
                  recorder_internal::FlagsOfWalk(walk)};
  if (merged.truncated && stack.flags == 0) {
    g_books->file().CountDegraded(ledger::Degraded::kStackTruncated);
    stack.flags = ledger::kCallsiteTruncated;
  }
  stack.flags |= TagBits(tag);
  // A handler that took over has left its own stack there.
  if (!state->guard.IsHeldBy(caller.rsp)) return ledger::kOverflowCallsite;
  PythonThread& python = *state->python;
  return g_books->CallsiteOf(CallsiteTable::KeyOf(stack), [&](auto&& extend) {
    const std::uint32_t node = NodeOfMerged(python, stack, extend);
    if (state->guard.IsHeldBy(caller.rsp)) return node;
    python.interned = 0;
    return recorder_internal::HotBooks::kNodeUnknown;
  });
}

}  // namespace

namespace recorder_internal {

[[gnu::noinline]] std::uint32_t PythonCallsite(
    ThreadState* state, const unwind::Registers& caller) {
  PythonThread* const python = Remembered(state);
  if (python == nullptr || t_ignoring != 0) [[unlikely]] {
    return UnknownCallsite(state, caller);
  }
  std::uint32_t native = python->memo.FindLast(caller);
  if (native == 0) native = python->memo.Find(caller);
  unwind::WalkResult walk;
  const bool walks = native == 0;
  if (walks) {
    walk = WalkFromLastStack(state, caller);
    const StackKey key =
        StackKey::Of(state->last_stack.hash(), walk.depth,
                     walk.end == unwind::WalkEnd::kComplete ? 0 : 1);
    native = NumberOfNativeStack(key.hash);
    if (native != 0) python->memo.Offer(caller, state->last_stack, native);
  }
  // In a signal handler the interpreter may be anywhere.
  const std::uint64_t thread =
      walk.used_signal_frame ? 0 : RunningPythonThread();
  Chain chain;
  if (thread != 0) chain = TakeChain(*python, thread);
  const std::uint32_t tag = t_tag;
  const std::uint64_t key =
      Mix(chain.hash, native | std::uint64_t{tag} << 32) | 1;
  PythonThread::Combination& known = python->CombinationFor(key);
  if (known.key == key && native != 0) [[likely]] {
    return known.callsite;
  }
  if (!walks) walk = WalkFromLastStack(state, caller);
  if (chain.frames.truncated) FindLastAnchor(*python, thread, chain.frames);
  const std::uint32_t callsite =
      Combine(state, caller, walk, chain.frames, tag);
  if (callsite != ledger::kOverflowCallsite) {
    known.key = 0;
    std::atomic_signal_fence(std::memory_order_release);
    known.callsite = callsite;
    std::atomic_signal_fence(std::memory_order_release);
    known.key = key;
  }
  if (walks) LearnStackFrom(state, caller, walk);
  return callsite;
}

}  // namespace recorder_internal

[[gnu::noinline]] void* RecordPython(const unwind::Registers& caller,
                                     void* block, std::size_t bytes) {
  using namespace recorder_internal;
  ThreadState* const state = CurrentThread();
  if (state == nullptr || !state->guard.Enter(caller.rsp)) [[unlikely]] {
    return RecordInside(caller.pc, caller.rsp, caller.rbp, block, bytes, state);
  }
  __builtin_prefetch(state->objects.Find(Address(block)), 1);
  if (state->CurrentAttention() != state->attention) [[unlikely]] {
    Attend(state);
  }
  const std::uint32_t callsite = PythonCallsite(state, caller);
#ifdef HEAPLEDGER_CHECK_STACKS
  // Once more with nothing remembered.
  if (state->guard.IsHeldBy(caller.rsp) && state->python != nullptr) {
    state->ForgetStacks();
    state->python->Forget();
    if (PythonCallsite(state, caller) != callsite) {
      g_books->file().CountDegraded(ledger::Degraded::kStackDoubt);
    }
  }
#endif
  if (!state->guard.Leave(caller.rsp)) [[unlikely]] {
    if (state->python != nullptr) state->python->Forget();
    return RecordAfterTakeover(caller.pc, caller.rsp, caller.rbp, block, bytes,
                               state);
  }
  g_books->Allocated(state, Address(block), bytes, callsite);
  return block;
}

}  // namespace heapledger::preload
