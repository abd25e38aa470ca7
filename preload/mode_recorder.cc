// SPDX-License-Identifier: Apache-2.0
// The modes other than exact with full stacks: sampled, adaptive depth,
// dormant.
#include "preload/ignored.h"
#include "preload/python_host.h"
#include "preload/python_recorder.h"
#include "preload/raw_io.h"
#include "preload/recorder.h"
#include "preload/tags.h"

namespace heapledger::preload {

using recorder_internal::Address;
using recorder_internal::CurrentThread;

namespace {

// --- Sampled.

// Where a thread's sampler starts: another place in every thread and process.
std::uint64_t SamplerSeed(const ThreadState* state) {
  return Address(state) ^ Address(&state) << 16 ^
         std::uint64_t{g_process->identity.pid} << 40 ^
         g_process->identity.start_time_ticks;
}

}  // namespace

[[gnu::noinline]] void* RecordTaken(const unwind::Registers& caller,
                                    void* block, std::size_t bytes) {
  ThreadState* const state = CurrentThread();
  // Without a state (a thread's very end) there is no sampler.
  if (state == nullptr) return block;
  if (!state->sampler.TakeSlow(bytes, g_books->sample_mean(),
                               SamplerSeed(state))) {
    return block;
  }
  // Before the block can be found in the map. Refused: not a sample after all.
  if (!g_samples.Add(g_process->env, Address(block))) {
    g_books->file().CountDegraded(ledger::Degraded::kUntrackedBlock);
    return block;
  }
  if (!state->guard.Enter(caller.rsp)) [[unlikely]] {
    return recorder_internal::RecordInside(caller.pc, caller.rsp, caller.rbp,
                                           block, bytes, state);
  }
  if (state->attention != g_books->attention()) [[unlikely]] {
    recorder_internal::Attend(state);
  }
  const std::uint32_t callsite =
      ReadsPython() ? recorder_internal::PythonCallsite(state, caller)
                    : recorder_internal::UnknownCallsite(state, caller);
  if (!state->guard.Leave(caller.rsp)) [[unlikely]] {
    return recorder_internal::RecordAfterTakeover(
        caller.pc, caller.rsp, caller.rbp, block, bytes, state);
  }
  g_books->AllocatedElsewhere(state, Address(block), bytes, callsite);
  return block;
}

namespace {

// --- Adaptive depth.

// What a governor may ask (GovernedBooks).
struct Governed {
  LiveCount LiveOf(std::uint32_t callsite) const {
    return g_books->LiveOf(callsite);
  }
  std::int64_t LiveBytes() const { return g_books->LiveBytes(); }
  std::uint32_t Seconds() const { return preload::Seconds(); }
  std::uint32_t FullUntil() const {
    return g_process->full_until.load(std::memory_order_relaxed);
  }
};

// The return address of the caller's caller, where one common rule tells it;
// else 0.
inline std::uint64_t SecondPc(const ThreadState* state,
                              const unwind::Registers& caller) {
  const unwind::RuleCode code = g_process->env.rule_cache().Find(caller.pc - 1);
  if (!unwind::IsCommonRule(code)) return 0;
  unwind::FrameState frame = unwind::FrameState::At(caller, state->stack);
  if (unwind::StepCommon(code, &frame) != unwind::StepResult::kStepped) {
    return 0;
  }
  return frame.registers.pc;
}

std::uint32_t CutCallsite(std::uint64_t pc, std::uint64_t second_pc) {
  const std::uint64_t frames[] = {pc, second_pc};
  g_books->file().CountDegraded(ledger::Degraded::kStackCut);
  return g_books->CallsiteOf(
      {frames, 2, ledger::kCallsiteCut | TagBits(t_tag)});
}

// The callsite that the governor allows; 0: the full one.
inline std::uint32_t GovernedCallsite(ThreadState* state,
                                      const unwind::Registers& caller,
                                      std::size_t bytes) {
  if (!state->cost.exceeded() || t_ignoring != 0) return 0;
  const std::uint64_t second_pc = SecondPc(state, caller);
  if (second_pc == 0) return 0;
  const std::uint64_t key = Governor::KeyOf(
      caller.pc, second_pc, static_cast<std::uint32_t>(state->attention >> 32),
      t_tag);
  Governed governed;
  const Decision decision = state->governor.Decide(key, bytes, true, governed);
  if (decision.depth == Depth::kFull) return 0;
  if (decision.callsite != 0) [[likely]]
    return decision.callsite;
  const std::uint32_t cut = CutCallsite(caller.pc, second_pc);
  if (cut != ledger::kOverflowCallsite) state->governor.NameCut(key, cut);
  return cut;
}

// What a stack costs that the memo does not know at once, in nanoseconds, as
// scripts/bench measures it on programs with many. Not timed on the spot: the
// only clock fine enough is one that a program may forbid itself.
constexpr std::uint64_t kUnknownStackNs = 100;

// The callsite of a stack that the memo does not know at once. Those that it
// knows cost too little for the governor to look at.
inline std::uint32_t AdaptiveCallsite(ThreadState* state,
                                      const unwind::Registers& caller,
                                      std::size_t bytes) {
  if (const std::uint32_t id = GovernedCallsite(state, caller, bytes)) {
    return id;
  }
  const std::uint32_t id = recorder_internal::UnknownCallsite(state, caller);
  if (g_process->has_clock && state->cost.WantsTiming()) [[unlikely]] {
    const std::uint64_t now = raw::MonotonicNs();
    state->cost.Timed(now, now + kUnknownStackNs, state->governor.cut(),
                      g_process->config.budget_percent);
  }
  return id;
}

}  // namespace

[[gnu::noinline]] void* RecordAdaptive(const unwind::Registers& caller,
                                       void* block, std::size_t bytes) {
  ThreadState* const state = CurrentThread();
  if (state == nullptr || !state->guard.Enter(caller.rsp)) [[unlikely]] {
    return recorder_internal::RecordInside(caller.pc, caller.rsp, caller.rbp,
                                           block, bytes, state);
  }
  if (state->CurrentAttention() != state->attention) [[unlikely]] {
    recorder_internal::Attend(state);
  }
  std::uint32_t callsite = state->memo.FindLast(caller);
  if (callsite == 0) callsite = AdaptiveCallsite(state, caller, bytes);
  if (!state->guard.Leave(caller.rsp)) [[unlikely]] {
    state->governor.Clear();
    return recorder_internal::RecordAfterTakeover(
        caller.pc, caller.rsp, caller.rbp, block, bytes, state);
  }
  g_books->Allocated(state, Address(block), bytes, callsite);
  return block;
}

[[gnu::noinline]] void* RecordByGate(std::uint64_t pc, std::uint64_t rsp,
                                     std::uint64_t rbp, void* block,
                                     std::size_t bytes) {
  const unwind::Registers caller{pc, rsp, rbp};
  switch (CurrentGate()) {
    case Gate::kActive:
      return RecordAllocated(caller, block, bytes);
    case Gate::kPython:
      return RecordPython(caller, block, bytes);
    case Gate::kAdaptive:
      return RecordAdaptive(caller, block, bytes);
    case Gate::kSampling:
      return TakesSample(bytes) ? RecordTaken(caller, block, bytes) : block;
    case Gate::kDormant:
    case Gate::kDraining:
      if ((g_books->attention() & ledger::kServedMask) != 0) [[unlikely]] {
        ServeControl();
      }
      return block;
    case Gate::kCold:
    case Gate::kStarting:
    case Gate::kOff:
      break;
  }
  return block;
}

[[gnu::noinline]] BlockRecord TakeByGate(void* block) {
  const Gate gate = CurrentGate();
  if (gate <= Gate::kDormant) return {};
  if (g_books->sample_mean() != 0 && !g_samples.MightHold(Address(block))) {
    return {};
  }
  return g_books->Take(Address(block));
}

[[gnu::noinline]] void RecordFreed(void* block, const BlockRecord& record) {
  ThreadState* const state = CurrentThread();
  if (g_books->sample_mean() == 0 && state != nullptr) [[likely]] {
    return g_books->Freed(state, record);
  }
  if (g_books->sample_mean() != 0) g_samples.Remove(Address(block));
  g_books->FreedElsewhere(state, record.callsite,
                          g_books->AmountOf(Address(block), record.bytes));
}

}  // namespace heapledger::preload
