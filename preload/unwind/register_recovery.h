// SPDX-License-Identifier: Apache-2.0
// Frames whose CFA hangs on a register that a walk does not carry. On x86-64
// GNU systems these are the lazy-binding trampolines of the dynamic loader,
// which keep the old stack pointer in rbx (and so stand in every stack that
// allocates during a symbol's first call), and a few instructions of realigned
// prologues, which only a signal interrupts. The value is found by walking
// again from the start and watching where the frames inside saved the register;
// slow and rare.
//
// Exact or nothing: a callee-saved register that no frame inside saved, and
// that no signal frame shows, is not known, and neither is any register past
// code without CFI.
#pragma once

#include <cstdint>

#include "preload/unwind/eh_frame_hdr.h"
#include "preload/unwind/registers.h"
#include "preload/unwind/rule_from_cfi.h"
#include "preload/unwind/stack_bounds.h"
#include "preload/unwind/step.h"
#include "preload/unwind/unwind_rule.h"

namespace heapledger::preload::unwind {

// The value of one register in the frame that a replay has come to.
class RecoveredRegister {
 public:
  // REQUIRES: `number` is a general register other than rsp and rbp.
  explicit RecoveredRegister(std::uint8_t number) : number_(number) {}

  [[nodiscard]] std::uint8_t number() const { return number_; }
  [[nodiscard]] bool known() const { return known_; }
  [[nodiscard]] std::uint64_t value() const { return value_; }

  void Forget() { known_ = false; }

  // Takes the value from the ucontext_t of a signal frame at `ucontext`.
  void TakeFromSignalFrame(std::uint64_t ucontext, const StackWindow& window) {
    // gregs by DWARF number; see <sys/ucontext.h>.
    constexpr std::uint8_t kGregOf[16] = {13, 12, 14, 11, 9, 8, 10, 15,
                                          0,  1,  2,  3,  4, 5, 6,  7};
    Load(ucontext + kUcontextGregs + kGregOf[number_ & 15] * 8ULL, window);
  }

  // Moves out of a frame with this rule for the register, and this CFA.
  void Leave(const RegisterRule& rule, std::uint64_t cfa,
             const StackWindow& window) {
    using Kind = RegisterRule::Kind;
    switch (rule.kind) {
      case Kind::kUnset:
        if (!IsCalleeSaved()) Forget();
        return;
      case Kind::kSame:
        return;
      case Kind::kAtCfa:
        Load(cfa + static_cast<std::uint64_t>(rule.offset), window);
        return;
      case Kind::kCfaPlus:
        value_ = cfa + static_cast<std::uint64_t>(rule.offset);
        known_ = true;
        return;
      case Kind::kUndefined:
      case Kind::kAtExpression:
      case Kind::kOther:
        Forget();
        return;
    }
  }

 private:
  [[nodiscard]] bool IsCalleeSaved() const {
    return number_ == kDwarfRbx || (number_ >= 12 && number_ <= 15);
  }
  void Load(std::uint64_t address, const StackWindow& window) {
    known_ = window.HoldsWord(address);
    if (known_) value_ = LoadStackWord(address);
  }

  std::uint8_t number_;
  bool known_ = false;
  std::uint64_t value_ = 0;
};

namespace internal {

// One step of the replay; false where it cannot go on.
template <typename Env>
bool ReplayStep(Env& env, const StackBounds& bounds, FrameState* state,
                RecoveredRegister* watched) {
  EhFrameSection section;
  CfiAnswer answer{UnwindRule::Of(RuleKind::kNoCfi), {}};
  if (env.FindSection(state->LookupPc(), &section)) {
    answer = ReadCfi(section, state->LookupPc(), watched->number());
  }
  const StackWindow window = state->Window();
  if (answer.rule.kind == RuleKind::kSignalFrame) {
    watched->TakeFromSignalFrame(state->registers.rsp, window);
    return Step(answer.rule, bounds, state) == StepResult::kStepped;
  }
  if (answer.rule.kind == RuleKind::kNoCfi) watched->Forget();
  StepResult step = Step(answer.rule, bounds, state);
  if (step == StepResult::kOtherRegister && watched->known() &&
      answer.rule.base == watched->number()) {
    step = StepFromBase(answer.rule, watched->value(), state);
  }
  watched->Leave(answer.extra, state->registers.rsp, window);
  return step == StepResult::kStepped;
}

}  // namespace internal

// The step of a frame whose CFA hangs on rule.base: the frame is `inner_frames`
// steps out from `start`, and `state` stands at it.
template <typename Env>
[[gnu::cold, gnu::noinline]] StepResult StepByRecovery(
    Env& env, const UnwindRule& rule, const Registers& start,
    const StackBounds& bounds, std::uint32_t inner_frames, FrameState* state) {
  if (rule.base >= kDwarfReturnAddress) return StepResult::kNoRule;
  RecoveredRegister watched(rule.base);
  FrameState replay = FrameState::At(start, bounds);
  for (std::uint32_t i = 0; i < inner_frames; ++i) {
    if (!internal::ReplayStep(env, bounds, &replay, &watched)) {
      return StepResult::kNoRule;
    }
  }
  if (!watched.known()) return StepResult::kNoRule;
  return StepFromBase(rule, watched.value(), state);
}

}  // namespace heapledger::preload::unwind
