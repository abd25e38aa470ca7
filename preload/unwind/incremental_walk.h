// SPDX-License-Identifier: Apache-2.0
// The walk that starts from the thread's previous one: it steps frame by frame
// until it stands where that one stood, and takes the rest over once every word
// that led on from there is found unchanged. So it costs what changed: about a
// nanosecond per three frames that did not.
//
// Soundness. A step is a pure function of the frame's (pc, rsp, rbp), the rule
// of its pc, the words that it reads, and the stack bounds. So a walk that
// reaches a known state, with the same rules and bounds, takes the same path as
// long as the words along it are the same: comparing them all is a proof, not a
// guess, whatever happened in between. rbp needs to be the same only where some
// frame uses it before an inner one has restored it (KnownFrame::needs_rbp);
// then the words that it is restored from are among those compared.
//
//   alloca, variable arrays: such frames find the CFA from rbp, so they need
//     it; where rsp moved, the state is another one.
//   frames based on rbp, realigned stacks: need rbp, and the words read through
//     it are recorded with their addresses.
//   return and re-entry at the same address, longjmp, exceptions: change words,
//     or leave the same stack behind as before; in both cases the result is
//     right, as no assumption is made about how the stack came to be.
//   signal frames: a stack that holds one is not kept, as its words are the
//     kernel's; a walk below one may still join outer frames beyond it.
//   switched stacks (coroutines, sigaltstack, split stacks): frames of another
//     stack are at other addresses. At the same addresses the words decide.
//   freed stacks: words are compared innermost first and only while all are the
//     same, so each one read is one that a plain walk from this state would
//     read: in use, as far as CFI can be trusted. Only on the thread's own
//     stack, all of which outside of us is in use, a few are read ahead.
//   dlclose, another module at the same address: rules change, so the caller
//     must Forget() first (core/books.h keeps a generation for that).
//   code made at run time: a pc in no module may get another rule any time, and
//     a frame pointer without CFI is a guess; a stack with such a frame is not
//     kept. Nor is one whose walk recovered another register, ended early or
//     was cut: its words do not tell all.
//   bounds: a walk from the thread's own stack and one from elsewhere do not
//     share frames, and the caller must Forget() when it learns other bounds.
//
// Thread safety: as for LastStack.
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/unwind/last_stack.h"
#include "preload/unwind/walker.h"

namespace heapledger::preload::unwind {

namespace internal {

// The frame outside of the next one, while a stack is put together from its
// outermost frame inwards.
struct Outside {
  FramePlace place;
  std::uint64_t rbp;
  FrameFacts::Links links;
};

// Adds a word that the step of a frame read besides its return address.
inline bool AddExtra(std::uint64_t address, std::uint64_t value,
                     LastStack* last, Outside* outside) {
  if (outside->links.extras == LastStack::kMaxExtras) return false;
  last->extras[outside->links.extras++] = {address, value};
  return true;
}

// Whether the extra words still hold their values. On a stack whose extent is
// not known they are not read: they are not in the order of a walk.
inline bool ExtrasHold(const LastStack& last, std::uint32_t count,
                       bool all_readable) {
  if (count != 0 && !all_readable) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const StackWord& word = last.extras[i];
    if (LoadStackWord(word.address) != word.value) return false;
  }
  return true;
}

// Records what the step of a frame read besides its return address, and whether
// it needs rbp. False when the stack cannot be kept.
template <WalkEnv Env>
[[gnu::noinline]] bool RecordUncommonStep(Env& env, const FreshFrame& frame,
                                          LastStack* last, Outside* outside) {
  const auto code = static_cast<RuleCode>(frame.code);
  if (code == kNoRuleCode) return false;
  const UnwindRule rule = env.rule_cache().RuleOf(code);
  if (rule.kind == RuleKind::kEndOfStack ||
      rule.kind == RuleKind::kPlantedReturn) {
    last->first_word = LastStack::kOutermost;
    outside->links.needs_rbp = 0;
    return true;
  }
  if (!rule.HasCfa()) return false;
  if (outside->links.needs_rbp != 0 && rule.rbp != RbpRule::kUnchanged) {
    if (rule.rbp == RbpRule::kLost) return false;
    const std::uint64_t base =
        rule.rbp == RbpRule::kSavedAtCfa ? outside->place.rsp : frame.rbp;
    if (!AddExtra(Plus(base, rule.rbp_offset), outside->rbp, last, outside)) {
      return false;
    }
  }
  if (rule.kind == RuleKind::kDeref) {
    const std::uint64_t base = rule.base == kDwarfRbp ? frame.rbp : frame.rsp;
    if (!AddExtra(Plus(base, rule.cfa_offset),
                  outside->place.rsp - Plus(0, rule.cfa_addend), last,
                  outside)) {
      return false;
    }
  }
  outside->links.needs_rbp =
      rule.ConsumesRbp() || (rule.PassesRbp() && outside->links.needs_rbp != 0);
  return true;
}

// Puts the fresh frames [0, count) inside of places[0, at], the outermost of
// them first. `codes` is the union of their rules' codes. False when the stack
// cannot be kept for another walk.
template <WalkEnv Env>
inline bool Prepend(Env& env, std::uint32_t count, std::uint32_t at,
                    std::uint64_t codes, LastStack* last) {
  bool reusable = true;
  FramePlace* place = last->places + at;
  FrameFacts* facts = last->facts + at;
  // Of the frame outside. Plain variables, so that they stay in registers.
  std::uint64_t hash = facts->hash;
  FrameFacts::Links links = facts->links;
  // Mostly no frame has anything to do with rbp: then the links stay the same.
  const bool plain =
      links.needs_rbp == 0 && (codes & (kUncommonBit | kBaseIsRbpBit)) == 0;
  links.node = 0;
  for (const FreshFrame* frame = last->fresh + count; frame-- != last->fresh;) {
    if (!plain) [[unlikely]] {
      const auto code = static_cast<RuleCode>(frame->code);
      if (links.needs_rbp != 0 || !IsCommonRule(code)) {
        Outside outside{*place, facts->rbp, links};
        reusable = reusable && RecordUncommonStep(env, *frame, last, &outside);
        links = outside.links;
      } else {
        links.needs_rbp = CommonRuleConsumesRbp(code) ? 1 : 0;
      }
    }
    hash = ExtendStackHash(hash, frame->pc);
    ++place;
    place->rsp = frame->rsp;
    place->pc = frame->pc;
    ++facts;
    facts->rbp = frame->rbp;
    facts->hash = hash;
    facts->links = links;
  }
  last->top = at + count;
  return reusable;
}

// A step whose rule is not in the cache or has no common code; where it leads
// below a signal handler, also the step of the interrupted frame. Moves `fresh`
// on by the frames that it stored.
template <WalkEnv Env>
[[gnu::noinline]] StepResult StepFromLastUncommon(
    Env& env, const Registers& start, const StackBounds& bounds,
    const LastStack* last, FreshFrame** fresh, const FreshFrame* room,
    FrameState* state, WalkResult* result) {
  for (;;) {
    FreshFrame& frame = (*fresh)[-1];
    const std::uint64_t lookup_pc = state->LookupPc();
    result->depth = static_cast<std::uint32_t>(*fresh - last->fresh);
    const StepResult step = StepUncommon(env, static_cast<RuleCode>(frame.code),
                                         start, bounds, state, result);
    frame.code = env.rule_cache().Find(lookup_pc);
    const Registers& registers = state->registers;
    if (step != StepResult::kStepped || !state->pc_is_exact ||
        registers.pc == 0) {
      return step;
    }
    result->used_signal_frame = true;
    if (registers.pc >= kUserSpaceEnd) return StepResult::kNoRule;
    if (*fresh == room) {
      result->end = WalkEnd::kTruncated;
      return StepResult::kEndOfStack;
    }
    *(*fresh)++ = {registers.pc | kExactPcBit, registers.rsp, registers.rbp,
                   env.rule_cache().Find(registers.pc)};
  }
}

}  // namespace internal

// Walks as Walk() does and leaves the frames in `last`, whose previous content
// it makes use of. max_depth is at most ledger::kMaxStackDepth.
template <WalkEnv Env>
inline WalkResult WalkFromLast(Env& env, const Registers& start,
                               const StackBounds& bounds,
                               std::uint32_t max_depth, LastStack* last) {
  WalkResult result;
  FrameState state = FrameState::At(start, bounds);
  RuleCache::Reader rules = env.rule_cache().reader();
  FramePlace* const places = last->places;
  places[0] = {~0ULL, 0};
  // A walk from the thread's own stack has other bounds than one from
  // elsewhere. There known words are outside of where we stand, on a stack that
  // is in use up to its top.
  const bool on_own_stack = bounds.Contains(start.rsp);
  const bool has_known =
      last->reusable != 0 && (last->on_own_stack != 0) == on_own_stack;
  const FramePlace* known = places + (has_known ? last->top : 0);
  const bool all_readable = on_own_stack;
  last->reusable = 0;
  last->on_own_stack = on_own_stack;
  FreshFrame* fresh = last->fresh;
  FreshFrame* const room = fresh + max_depth;
  std::uint64_t codes = 0;
  std::uint32_t at = 0;  // where known frames are taken over
  while (state.registers.pc != 0) {
    const Registers registers = state.registers;
    while (known->rsp < registers.rsp) --known;
    if (known->rsp == registers.rsp && known->pc == registers.pc) {
      const auto index = static_cast<std::uint32_t>(known - places);
      const FrameFacts& facts = last->facts[index];
      const std::uint32_t changed =
          FirstChange(places, last->first_word, index, all_readable);
      if (changed != 0) {
        // Frames inside of the changed word would fail the same way.
        known = places + changed - 1;
      } else if ((facts.links.needs_rbp != 0 && facts.rbp != registers.rbp) ||
                 !internal::ExtrasHold(*last, facts.links.extras, all_readable))
          [[unlikely]] {
        --known;
      } else if (index - LastStack::kOutermost <
                 static_cast<std::uint64_t>(room - fresh)) [[likely]] {
        at = index;
        break;
      } else {
        known = places;  // too deep: the walk ends where it must be cut
      }
    }
    if (fresh == room) [[unlikely]] {
      result.end = registers.pc >= kUserSpaceEnd ? WalkEnd::kNoRule
                                                 : WalkEnd::kTruncated;
      break;
    }
    // Nothing is cached for a pc that cannot be one.
    const std::uint64_t code = rules.Find(registers.pc - 1);
    codes |= code;
    fresh->pc = registers.pc;
    fresh->rsp = registers.rsp;
    fresh->rbp = registers.rbp;
    fresh->code = code;
    ++fresh;
    if (IsCommonRule(static_cast<RuleCode>(code))) [[likely]] {
      if (StepCommon(static_cast<RuleCode>(code), &state) ==
          StepResult::kStepped) [[likely]] {
        continue;
      }
      result.end = WalkEnd::kOutOfBounds;
      break;
    }
    if (registers.pc >= kUserSpaceEnd) {
      --fresh;
      result.end = WalkEnd::kNoRule;
      break;
    }
    // A copy: the loop's own state stays in registers.
    FrameState slow = state;
    FreshFrame* slow_fresh = fresh;
    codes |= kUncommonBit;
    const StepResult step = internal::StepFromLastUncommon(
        env, start, bounds, last, &slow_fresh, room, &slow, &result);
    fresh = slow_fresh;
    state = slow;
    state.pc_is_exact = false;  // stepped over there
    rules = env.rule_cache().reader();
    if (step != StepResult::kStepped) [[unlikely]] {
      if (result.end == WalkEnd::kComplete) result.end = internal::EndOf(step);
      break;
    }
  }
  if (at == 0) {
    at = LastStack::kOutermost - 1;
    places[at] = {state.registers.rsp, 0};
    last->facts[at] = {0, kEmptyStackHash, {0, 0, 0}};
    last->first_word = at;
    result.outermost_rsp = state.registers.rsp;
  } else {
    result.outermost_rsp = places[LastStack::kOutermost].rsp;
  }
  const bool reusable = internal::Prepend(
      env, static_cast<std::uint32_t>(fresh - last->fresh), at, codes, last);
  result.depth = last->depth();
  // Last, so that an interrupted walk leaves nothing that looks whole.
  std::atomic_signal_fence(std::memory_order_release);
  last->reusable = reusable && result.reusable() ? 1 : 0;
  return result;
}

}  // namespace heapledger::preload::unwind
