// SPDX-License-Identifier: Apache-2.0
// A stack as a walk found it, with everything that the walk depended on: per
// frame the registers at its call, which are also the word of memory that led
// there (the return address lies right below the caller's rsp), and the few
// words that frames with other habits read besides. Who finds all of that
// unchanged may take the frames over without walking (incremental_walk.h and
// stack_memo.h argue why).
//
// Lies in zeroed memory on which no constructor runs, one per thread.
//
// Thread safety: one thread. A signal handler that interrupts a writer must not
// come here (core/thread_state.h guards); one that never returns leaves a stack
// that is not reusable, as that is stored last.
#pragma once

#include <cstdint>

#include "heapledger/ledger/abi.h"
#include "preload/unwind/rule_cache.h"
#include "preload/unwind/stack_bounds.h"
#include "preload/unwind/stack_hash.h"

namespace heapledger::preload::unwind {

// Where a frame stands. The step that led to it read pc at rsp − 8.
struct FramePlace {
  std::uint64_t rsp;
  std::uint64_t pc;  // with kExactPcBit where that applies

  // 0 where the word that led here still holds its value.
  [[nodiscard]] std::uint64_t Change() const {
    return LoadStackWord(rsp - 8) ^ pc;
  }
};

// What else is known of it.
struct FrameFacts {
  std::uint64_t rbp;
  std::uint64_t hash;  // of this frame and all outside it
  struct Links {
    std::uint32_t node;    // for whoever keeps stacks as trees; 0: not known
    std::uint16_t extras;  // extra words that lead outwards from here
    // Whether the frames from here outwards depend on rbp: one of them uses it
    // before it is restored.
    std::uint16_t needs_rbp;
  } links;
};
static_assert(sizeof(FramePlace) == 16 && sizeof(FrameFacts) == 24);

// A word that a step read, and what it read there.
struct StackWord {
  std::uint64_t address;
  std::uint64_t value;
};

// A frame on the way from where a walk starts to what it knows.
struct FreshFrame {
  std::uint64_t pc;
  std::uint64_t rsp;
  std::uint64_t rbp;
  std::uint64_t code;
};

struct LastStack {
  static constexpr std::uint32_t kMaxExtras = 256;
  // places[0] is nowhere, places[1] where the outermost frame returns to: pc 0.
  static constexpr std::uint32_t kOutermost = 2;

  // Frames outermost first: kOutermost .. top.
  std::uint32_t top;
  // The outermost place whose word is part of the stack: 1, or kOutermost where
  // the outermost frame is known to have no caller without reading a word.
  std::uint32_t first_word;
  // Whether frames may be taken over from here; the rest is valid in any case
  // right after a walk.
  std::uint32_t reusable;
  // Whether the walk was on the thread's own stack, whose extent is known: then
  // all words lie between its rsp and the top.
  std::uint32_t on_own_stack;
  FramePlace places[ledger::kMaxStackDepth + kOutermost];
  FrameFacts facts[ledger::kMaxStackDepth + kOutermost];
  StackWord extras[kMaxExtras];
  FreshFrame fresh[ledger::kMaxStackDepth];  // room for a walk

  [[nodiscard]] std::uint32_t depth() const { return top - kOutermost + 1; }
  [[nodiscard]] std::uint64_t hash() const {
    return top < kOutermost ? kEmptyStackHash : facts[top].hash;
  }
  void Forget() { reusable = 0; }
};

// Compares the words that led to places[first, end) with memory, the innermost
// first, and stops at the first that differs: so it reads, in the same order,
// only words that a walk from places[end] would read. Returns the index of the
// one that differs, or 0 where all are the same.
//
// With `all_readable` it may read on for a few: fewer branches.
inline std::uint32_t FirstChange(const FramePlace* places, std::uint32_t first,
                                 std::uint32_t end, bool all_readable) {
  const FramePlace* place = places + end;
  const FramePlace* const stop = places + first;
  if (all_readable) [[likely]] {
    for (; place - stop >= 4; place -= 4) {
      if ((place[-1].Change() | place[-2].Change() | place[-3].Change() |
           place[-4].Change()) != 0) {
        break;
      }
    }
  }
  while (place-- != stop) {
    if (place->Change() != 0) {
      return static_cast<std::uint32_t>(place - places);
    }
  }
  return 0;
}

}  // namespace heapledger::preload::unwind
