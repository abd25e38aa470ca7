// SPDX-License-Identifier: Apache-2.0
// Stacks of a chosen depth, made of frames as compilers make them: eight
// functions of different frame sizes that save different registers, without
// frame pointers.
//
// A depth counts the frames from the outermost Level to the function that calls
// malloc, that one included. main and what is above it come on top.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapledger::bench {

// Inlined, cloned or turned into a jump, a frame would be none.
#define HEAPLEDGER_FRAME [[gnu::noipa]]

inline constexpr int kLevelKinds = 8;

template <typename Argument>
using Body = void (*)(Argument&);

// Gives the calling function a frame of a size of its own and has it save
// registers that others do not.
template <int kKind>
[[gnu::always_inline]] inline void ShapeFrame() {
  char room[16 + 24 * kKind];
  __asm__ volatile("" : : "r"(room) : "memory");
  if constexpr (kKind % 2 == 1) __asm__ volatile("" ::: "rbx", "r12");
  if constexpr (kKind % 4 == 3) __asm__ volatile("" ::: "rbp", "r13", "r14");
}

// Keeps the call before it from being the function's last deed, a tail call.
[[gnu::always_inline]] inline void EndFrame() {
  __asm__ volatile("" ::: "memory");
}

template <int kKind, typename Argument>
HEAPLEDGER_FRAME void Level(int frames, Body<Argument> body,
                            Argument& argument) {
  ShapeFrame<kKind>();
  if (frames <= 1) {
    body(argument);
  } else {
    Level<(kKind + 1) % kLevelKinds>(frames - 1, body, argument);
  }
  EndFrame();
}

// Calls `body` so that it stands at `depth`.
template <typename Argument>
void RunAtDepth(int depth, Body<Argument> body, Argument& argument) {
  if (depth <= 1) {
    body(argument);
  } else {
    Level<0>(depth - 1, body, argument);
  }
}

}  // namespace heapledger::bench
