// SPDX-License-Identifier: Apache-2.0
// What of a stack may be read. A walk reads memory at addresses that it
// computes from registers and CFI; these bounds are what keeps a wrong one from
// faulting.
//
// On the thread's own stack, whose range is known, every word must lie between
// the frame's rsp and the top: that memory is in use by the thread itself and
// so mapped. On any other stack (sigaltstack, a coroutine's) the top is not
// known: there a step must follow CFI, and stay within kUnknownStackReach of
// rsp, which is the target's own live frame; a frame pointer without CFI behind
// it must lie on the page of rsp. What remains is trust in the CFI of the code
// that runs.
#pragma once

#include <cstdint>

#include "preload/unwind/registers.h"

namespace heapledger::preload::unwind {

// How far one step may reach on a stack of unknown extent.
inline constexpr std::uint64_t kUnknownStackReach = 64 << 10;
// Leaf functions may save registers this far below rsp (System V ABI); only a
// signal leaves such a frame in the middle of a stack.
inline constexpr std::uint64_t kRedZoneBytes = 128;
inline constexpr std::uint64_t kStackPageBytes = 4096;

// The thread's own stack [low, high), or high = 0 where it is not known.
struct StackBounds {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  [[nodiscard]] constexpr bool Contains(std::uint64_t rsp) const {
    return rsp >= low && rsp < high;
  }

  // What is known of the end of the stack that rsp lies on: its top, or
  // kUnknownTop, or kNoStack for an rsp that cannot be one.
  [[nodiscard]] constexpr std::uint64_t TopFor(std::uint64_t rsp) const {
    if (Contains(rsp)) return high;
    const bool possible = rsp >= kStackPageBytes && rsp < kUserSpaceEnd;
    return possible ? kUnknownTop : kNoStack;
  }

  static constexpr std::uint64_t kUnknownTop = 0;
  static constexpr std::uint64_t kNoStack = 1;  // no word lies below it
};

// One past the last byte that a step from a frame at rsp may read.
constexpr std::uint64_t StackLimit(std::uint64_t rsp, std::uint64_t top) {
  if (top != StackBounds::kUnknownTop) return top;
  const std::uint64_t reach = rsp + kUnknownStackReach;
  return reach < kUserSpaceEnd ? reach : kUserSpaceEnd - kStackPageBytes;
}

// The words that a step from one frame may read: aligned, in [floor, limit).
struct StackWindow {
  std::uint64_t floor = 0;
  std::uint64_t limit = 0;
  bool known = false;

  static constexpr StackWindow Of(std::uint64_t rsp, std::uint64_t top,
                                  bool has_red_zone) {
    StackWindow window;
    window.floor = has_red_zone ? rsp - kRedZoneBytes : rsp;
    window.limit = StackLimit(rsp, top);
    window.known = top != StackBounds::kUnknownTop;
    return window;
  }

  [[nodiscard]] constexpr bool HoldsWord(std::uint64_t address) const {
    return address >= floor && address < limit && limit - address >= 8 &&
           address % 8 == 0;
  }
};

// Reads a word of the target's stack. REQUIRES: a StackWindow holds it.
// Not instrumented: the words belong to other functions' frames.
__attribute__((no_sanitize("address", "thread"))) inline std::uint64_t
LoadStackWord(std::uint64_t address) {
  using Word __attribute__((may_alias)) = std::uint64_t;
  return *reinterpret_cast<const Word*>(address);
}

}  // namespace heapledger::preload::unwind
