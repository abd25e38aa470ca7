// SPDX-License-Identifier: Apache-2.0
// libunwind's opinion of a stack, and the registers to start a walk of our own
// from the same frame.
#pragma once

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <cstdint>

#include "preload/unwind/registers.h"

namespace heapledger::testing {

struct LibunwindStack {
  static constexpr std::uint32_t kMaxDepth = 512;
  std::uint32_t depth = 0;
  bool complete = false;  // it says that it reached the outermost frame
  std::uint64_t frames[kMaxDepth];
};

// The state of the caller of the function that this is written in, just after
// that call returns. Asking for the frame address makes the compiler keep rbp.
#define HEAPLEDGER_CALLER_REGISTERS()    \
  ::heapledger::testing::RegistersAbove( \
      static_cast<const std::uint64_t*>(__builtin_frame_address(0)))

inline preload::unwind::Registers RegistersAbove(const std::uint64_t* frame) {
  return {frame[1], reinterpret_cast<std::uint64_t>(frame + 2), frame[0]};
}

// Frames from the one whose rsp is `rsp`, as start.rsp of our walks, outwards.
// Inlined, so that the stack in question is a live one.
[[gnu::always_inline]] inline void TakeLibunwindStack(std::uint64_t rsp,
                                                      LibunwindStack* stack) {
  unw_context_t context;
  unw_cursor_t cursor;
  unw_getcontext(&context);
  unw_init_local(&cursor, &context);
  stack->depth = 0;
  stack->complete = false;
  bool reached = false;
  for (std::uint32_t i = 0; i < LibunwindStack::kMaxDepth; ++i) {
    unw_word_t pc = 0;
    unw_word_t sp = 0;
    unw_get_reg(&cursor, UNW_REG_IP, &pc);
    unw_get_reg(&cursor, UNW_REG_SP, &sp);
    reached = reached || sp == rsp;
    if (pc == 0) {
      stack->complete = true;
      return;
    }
    if (reached) stack->frames[stack->depth++] = pc;
    const int step = unw_step(&cursor);
    if (step <= 0) {
      stack->complete = step == 0;
      return;
    }
  }
}

}  // namespace heapledger::testing
