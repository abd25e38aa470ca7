// SPDX-License-Identifier: Apache-2.0
// What a thread that runs Python code remembers, beside its ThreadState: the
// native stacks that it knows, the places in code that it knows, and which
// callsites the two together are.
//
// Lies in zeroed memory on which no constructor runs.
//
// Thread safety: as for ThreadState, under its guard.
#pragma once

#include <atomic>
#include <cstdint>

#include "heapledger/ledger/abi.h"
#include "preload/runtime/python_code.h"
#include "preload/runtime/python_stack.h"
#include "preload/unwind/stack_bounds.h"
#include "preload/unwind/stack_memo.h"

namespace heapledger::preload {

struct PythonThread {
  static constexpr std::uint32_t kPlaces = 512;
  static constexpr std::uint32_t kCombinations = 1024;

  // A place in code, with all that says that it is still the same code.
  struct alignas(64) Place {
    std::uint64_t code;  // 0: empty; set last
    std::int64_t unit;
    CodeIdentity who;
    std::uint64_t word;  // 0: not shown
  };
  static_assert(sizeof(Place) == 64);

  struct Combination {
    std::uint64_t key;  // 0: empty; set last
    std::uint32_t callsite;
  };

  // Of what is remembered.
  std::uint64_t attention;
  unwind::StackBounds bounds;

  unwind::StackMemo memo;  // native stack -> its number
  Place places[kPlaces];
  Combination combinations[kCombinations];

  // The last merged stack that was interned, outermost first, with its nodes:
  // the next one shares its outer part.
  std::uint32_t interned;  // how many
  std::uint64_t interned_frames[ledger::kMaxStackDepth];
  std::uint32_t interned_nodes[ledger::kMaxStackDepth];

  // The chain as it was last walked.
  PythonFrame chain[ledger::kMaxStackDepth];

  Place& PlaceFor(std::uint64_t code, std::int64_t unit) {
    const std::uint64_t key = (code >> 4) + static_cast<std::uint64_t>(unit);
    return places[key * 0x9e3779b97f4a7c15ULL >> 55];
  }
  static_assert(kPlaces == 1 << (64 - 55));

  Combination& CombinationFor(std::uint64_t key) {
    return combinations[key >> 54];
  }
  static_assert(kCombinations == 1 << (64 - 54));

  void Forget() {
    memo.Forget();
    interned = 0;
    for (Place& place : places) {
      if (place.code != 0) place.code = 0;
    }
    for (Combination& combination : combinations) {
      if (combination.key != 0) combination.key = 0;
    }
  }
};

}  // namespace heapledger::preload
