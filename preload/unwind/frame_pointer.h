// SPDX-License-Identifier: Apache-2.0
// The walk by frame pointers alone, for targets that keep them throughout: no
// CFI, no cache. Exact for such code only; a function without a frame pointer
// hides its caller. The bounds are those of every walk.
#pragma once

#include <cstdint>

#include "preload/unwind/registers.h"
#include "preload/unwind/stack_bounds.h"
#include "preload/unwind/step.h"
#include "preload/unwind/walker.h"

namespace heapledger::preload::unwind {

// `start` as for Walk().
inline WalkResult WalkFramePointers(const Registers& start,
                                    const StackBounds& bounds,
                                    std::uint64_t* frames,
                                    std::uint32_t max_depth) {
  WalkResult result;
  result.used_frame_pointers = true;
  FrameState state = FrameState::At(start, bounds);
  while (state.registers.pc != 0) {
    if (result.depth == max_depth) {
      result.end = WalkEnd::kTruncated;
      return result;
    }
    if (state.registers.pc >= kUserSpaceEnd) {
      result.end = WalkEnd::kNoRule;
      return result;
    }
    frames[result.depth++] = state.registers.pc;
    const StepResult step = StepFramePointer(&state);
    if (step != StepResult::kStepped) {
      result.end = internal::EndOf(step);
      return result;
    }
  }
  return result;
}

}  // namespace heapledger::preload::unwind
