// SPDX-License-Identifier: Apache-2.0
// The walk: frames of the calling thread's stack, innermost first, by unwind
// rules that are cached per pc; by frame pointers where a pc has no CFI.
//
// Soundness. Trusted: the registers that the caller hands in, that the known
// stack range is the thread's, and, for the shape of a frame, the CFI of code
// that is on the stack. Checked: every read of the stack (stack_bounds.h),
// every read of CFI bytes (byte_reader.h), alignment and growth of each CFA. A
// walk ends at the outermost frame (return address undefined or zero), at
// max_depth, or at the first frame that cannot be followed, and says which; it
// does not skip a frame. It cannot loop: it stores a frame per step.
//
// Thread safety: async-signal-safe if the Env is; writes nothing but the rule
// cache and the caller's array.
#pragma once

#include <concepts>
#include <cstdint>

#include "preload/unwind/eh_frame_hdr.h"
#include "preload/unwind/register_recovery.h"
#include "preload/unwind/registers.h"
#include "preload/unwind/rule_cache.h"
#include "preload/unwind/rule_from_cfi.h"
#include "preload/unwind/stack_bounds.h"
#include "preload/unwind/step.h"
#include "preload/unwind/unwind_rule.h"

namespace heapledger::preload::unwind {

// What a walk needs of its surroundings. FindSection fills in the unwind data
// of the module around a pc and returns true, or false if the pc lies in no
// module or one without unwind data; lock-free and without allocation in the
// target.
template <typename T>
concept WalkEnv = requires(T& env, std::uint64_t pc, EhFrameSection* section) {
  { env.rule_cache() } -> std::same_as<RuleCache&>;
  { env.FindSection(pc, section) } -> std::same_as<bool>;
};

// A stored frame is a pc; with this bit it is the interrupted instruction
// itself (a frame below a signal handler), else a return address, to be looked
// up at pc − 1.
inline constexpr std::uint64_t kExactPcBit = 1ULL << 63;

enum class WalkEnd : std::uint8_t {
  kComplete,     // reached the outermost frame
  kTruncated,    // more frames than max_depth
  kNoRule,       // incomplete: a frame without a usable rule
  kOutOfBounds,  // incomplete: a frame whose words lay outside the bounds
};

struct WalkResult {
  std::uint32_t depth = 0;
  WalkEnd end = WalkEnd::kComplete;
  bool used_frame_pointers = false;  // some frame had no CFI: a guess is in it
  // Some frame hung on a register that an inner one had saved: the stack is
  // exact, but depends on words that the rules of its frames do not name.
  bool used_recovery = false;
  bool used_signal_frame = false;   // told by WalkFromLast() only
  std::uint32_t rules_parsed = 0;   // frames whose rule was not cached
  std::uint64_t outermost_rsp = 0;  // of the last frame stored

  [[nodiscard]] constexpr bool incomplete() const {
    return end == WalkEnd::kNoRule || end == WalkEnd::kOutOfBounds;
  }
  // Whether its words and rules determine the stack (incremental_walk.h).
  [[nodiscard]] constexpr bool reusable() const {
    return end == WalkEnd::kComplete && !used_frame_pointers &&
           !used_recovery && !used_signal_frame;
  }
};

// Reads the rule of a pc from its module's CFI and caches it. The rule of a pc
// outside every module is not cached: code may come to lie there.
template <WalkEnv Env>
[[gnu::cold, gnu::noinline]] UnwindRule LearnRule(Env& env, std::uint64_t pc) {
  RuleCache& cache = env.rule_cache();
  const std::uint32_t generation = cache.generation();
  EhFrameSection section;
  if (!env.FindSection(pc, &section)) {
    return UnwindRule::Of(RuleKind::kNoCfi);
  }
  const UnwindRule rule = RuleFromCfi(section, pc);
  cache.Insert(pc, rule, generation);
  return rule;
}

namespace internal {

// A step whose rule is not in the cache or has no common code.
template <WalkEnv Env>
[[gnu::noinline]] StepResult StepUncommon(Env& env, RuleCode code,
                                          const Registers& start,
                                          const StackBounds& bounds,
                                          FrameState* state,
                                          WalkResult* result) {
  UnwindRule rule;
  if (code == kNoRuleCode) {
    ++result->rules_parsed;
    rule = LearnRule(env, state->LookupPc());
  } else {
    rule = env.rule_cache().RuleOf(code);
  }
  if (rule.kind == RuleKind::kNoCfi) result->used_frame_pointers = true;
  const StepResult step = Step(rule, bounds, state);
  if (step != StepResult::kOtherRegister) return step;
  result->used_recovery = true;
  return StepByRecovery(env, rule, start, bounds, result->depth - 1, state);
}

constexpr WalkEnd EndOf(StepResult result) {
  switch (result) {
    case StepResult::kStepped:
    case StepResult::kEndOfStack:
      return WalkEnd::kComplete;
    case StepResult::kOutOfBounds:
      return WalkEnd::kOutOfBounds;
    case StepResult::kNoRule:
    case StepResult::kOtherRegister:
      break;
  }
  return WalkEnd::kNoRule;
}

}  // namespace internal

// `start` is the state of the innermost frame wanted just after the call that
// it made returns: pc the return address, rsp the callee's CFA, rbp its own.
template <WalkEnv Env>
WalkResult Walk(Env& env, const Registers& start, const StackBounds& bounds,
                std::uint64_t* frames, std::uint32_t max_depth) {
  WalkResult result;
  std::uint32_t depth = 0;
  FrameState state = FrameState::At(start, bounds);
  RuleCache::Reader rules = env.rule_cache().reader();
  while (state.registers.pc != 0) {
    if (state.registers.pc >= kUserSpaceEnd) [[unlikely]] {
      result.end = WalkEnd::kNoRule;
      break;
    }
    if (depth == max_depth) [[unlikely]] {
      result.end = WalkEnd::kTruncated;
      break;
    }
    frames[depth++] =
        state.registers.pc | (state.pc_is_exact ? kExactPcBit : 0);
    const RuleCode code = rules.Find(state.LookupPc());
    StepResult step;
    if (IsCommonRule(code)) [[likely]] {
      step = StepCommon(code, &state);
    } else {
      // A copy: the loop's own state stays in registers.
      FrameState slow = state;
      result.depth = depth;
      step = internal::StepUncommon(env, code, start, bounds, &slow, &result);
      state = slow;
      rules = env.rule_cache().reader();
    }
    if (step != StepResult::kStepped) [[unlikely]] {
      result.end = internal::EndOf(step);
      break;
    }
  }
  result.depth = depth;
  result.outermost_rsp = state.registers.rsp;
  return result;
}

}  // namespace heapledger::preload::unwind
