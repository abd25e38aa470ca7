// SPDX-License-Identifier: Apache-2.0
// One step of a walk: from a frame's registers and its rule to its caller's.
// Pure but for the words of the stack that it reads, each within the frame's
// StackWindow; so the result is a function of (pc, rsp, rbp), the rule and
// those words, which is what a walk that reuses outer frames builds on.
//
// Every step that succeeds moves rsp strictly outwards, but for signal frames,
// whose registers are the kernel's word.
#pragma once

#include <cstdint>

#include "preload/unwind/registers.h"
#include "preload/unwind/rule_from_cfi.h"
#include "preload/unwind/stack_bounds.h"
#include "preload/unwind/unwind_rule.h"

namespace heapledger::preload::unwind {

// Where a walk stands.
struct FrameState {
  Registers registers;
  // StackBounds::TopFor(rsp); changes at signal frames only.
  std::uint64_t stack_top = StackBounds::kNoStack;
  // The pc is an interrupted instruction, not a return address.
  bool pc_is_exact = false;

  static constexpr FrameState At(const Registers& registers,
                                 const StackBounds& bounds) {
    FrameState state;
    state.registers = registers;
    state.stack_top = bounds.TopFor(registers.rsp);
    return state;
  }

  // An address inside the instruction that the frame is at.
  [[nodiscard]] constexpr std::uint64_t LookupPc() const {
    return registers.pc - (pc_is_exact ? 0 : 1);
  }
  [[nodiscard]] constexpr StackWindow Window() const {
    return StackWindow::Of(registers.rsp, stack_top, pc_is_exact);
  }
};

enum class StepResult : std::uint8_t {
  kStepped,
  kEndOfStack,     // this was the outermost frame
  kNoRule,         // no CFI and no frame pointer, or CFI that is unusable
  kOutOfBounds,    // a word lay outside the window, or the CFA did not grow
  kOtherRegister,  // the CFA's base is neither rsp nor rbp
                   // (register_recovery.h)
};

namespace internal {

// Moves to the caller. REQUIRES: rbp is the caller's; the window is the
// frame's.
inline StepResult Arrive(std::uint64_t cfa, std::uint64_t rbp,
                         const StackWindow& window, FrameState* state) {
  const std::uint64_t slot = cfa - 8;
  // The first condition also keeps the CFA growing, red zone or not.
  if (slot < state->registers.rsp || !window.HoldsWord(slot)) {
    return StepResult::kOutOfBounds;
  }
  state->registers = {LoadStackWord(slot), cfa, rbp};
  state->pc_is_exact = false;
  return StepResult::kStepped;
}

inline std::uint64_t Plus(std::uint64_t base, std::int32_t offset) {
  return base + static_cast<std::uint64_t>(static_cast<std::int64_t>(offset));
}

}  // namespace internal

// The step of a rule with a common code, the only one that is hot. It asks each
// of the window's conditions once: with an aligned CFA in (rsp, limit], the
// words at CFA − 8 and at CFA − distance need only the floor.
[[gnu::always_inline]] inline StepResult StepCommon(RuleCode code,
                                                    FrameState* state) {
  const Registers registers = state->registers;
  const std::uint64_t cfa =
      (CommonRuleConsumesRbp(code) ? registers.rbp : registers.rsp) +
      CommonCfaOffset(code);
  if (cfa <= registers.rsp || cfa % 8 != 0 ||
      cfa > StackLimit(registers.rsp, state->stack_top)) [[unlikely]] {
    return StepResult::kOutOfBounds;
  }
  std::uint64_t rbp = registers.rbp;
  if (const std::uint64_t distance = CommonRbpDistance(code); distance != 0) {
    const std::uint64_t floor =
        registers.rsp - (state->pc_is_exact ? kRedZoneBytes : 0);
    if (cfa < floor + distance) [[unlikely]]
      return StepResult::kOutOfBounds;
    rbp = LoadStackWord(cfa - distance);
  }
  state->registers = {LoadStackWord(cfa - 8), cfa, rbp};
  state->pc_is_exact = false;
  return StepResult::kStepped;
}

// The step of a rule whose base register holds `base`.
inline StepResult StepFromBase(const UnwindRule& rule, std::uint64_t base,
                               FrameState* state) {
  const StackWindow window = state->Window();
  std::uint64_t cfa = internal::Plus(base, rule.cfa_offset);
  if (rule.kind == RuleKind::kDeref) {
    if (!window.HoldsWord(cfa)) return StepResult::kOutOfBounds;
    cfa = internal::Plus(LoadStackWord(cfa), rule.cfa_addend);
  }
  std::uint64_t rbp = state->registers.rbp;
  if (rule.rbp == RbpRule::kLost) {
    rbp = kLostRegister;
  } else if (rule.rbp != RbpRule::kUnchanged) {
    const std::uint64_t slot = internal::Plus(
        rule.rbp == RbpRule::kSavedAtCfa ? cfa : rbp, rule.rbp_offset);
    if (!window.HoldsWord(slot)) return StepResult::kOutOfBounds;
    rbp = LoadStackWord(slot);
  }
  return internal::Arrive(cfa, rbp, window, state);
}

// To the interrupted frame, which may lie on another stack: the bounds apply
// again if it is the thread's own.
inline StepResult StepSignalFrame(const StackBounds& bounds,
                                  FrameState* state) {
  const std::uint64_t ucontext = state->registers.rsp;
  const StackWindow window = state->Window();
  if (!window.HoldsWord(ucontext + kUcontextRbp) ||
      !window.HoldsWord(ucontext + kUcontextRip)) {
    return StepResult::kOutOfBounds;
  }
  *state = FrameState::At({LoadStackWord(ucontext + kUcontextRip),
                           LoadStackWord(ucontext + kUcontextRsp),
                           LoadStackWord(ucontext + kUcontextRbp)},
                          bounds);
  state->pc_is_exact = true;
  return StepResult::kStepped;
}

// Code without CFI (emitted at run time, or written by hand) may still keep
// frame pointers: rbp points at the saved rbp, the return address above it. A
// guess, so it must look right; rbp = 0 marks the outermost frame (System V
// ABI).
inline StepResult StepFramePointer(FrameState* state) {
  const Registers& registers = state->registers;
  const std::uint64_t rbp = registers.rbp;
  if (rbp == 0) return StepResult::kEndOfStack;
  const StackWindow window = state->Window();
  if (rbp < registers.rsp || !window.HoldsWord(rbp) ||
      !window.HoldsWord(rbp + 8)) {
    return StepResult::kNoRule;
  }
  if (!window.known &&
      rbp / kStackPageBytes != registers.rsp / kStackPageBytes) {
    return StepResult::kNoRule;
  }
  if (!window.known && rbp % kStackPageBytes == kStackPageBytes - 8) {
    return StepResult::kNoRule;  // the return address is on the next page
  }
  return internal::Arrive(rbp + 16, LoadStackWord(rbp), window, state);
}

// The step of any rule.
inline StepResult Step(const UnwindRule& rule, const StackBounds& bounds,
                       FrameState* state) {
  switch (rule.kind) {
    case RuleKind::kUnusable:
      return StepResult::kNoRule;
    case RuleKind::kNoCfi:
      return StepFramePointer(state);
    case RuleKind::kPlantedReturn:
      if (state->pc_is_exact) return StepFramePointer(state);
      return StepResult::kEndOfStack;
    case RuleKind::kEndOfStack:
      return StepResult::kEndOfStack;
    case RuleKind::kSignalFrame:
      return StepSignalFrame(bounds, state);
    case RuleKind::kOffset:
    case RuleKind::kDeref:
      break;
  }
  if (rule.base == kDwarfRsp) {
    return StepFromBase(rule, state->registers.rsp, state);
  }
  if (rule.base == kDwarfRbp) {
    return StepFromBase(rule, state->registers.rbp, state);
  }
  return StepResult::kOtherRegister;
}

}  // namespace heapledger::preload::unwind
