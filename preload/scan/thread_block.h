// SPDX-License-Identifier: Apache-2.0
// glibc's control block of a thread (struct pthread, x86-64): on top of the
// thread's stack, below it the thread's static thread-local storage. It tells
// whether the thread lives and where its stack lies, also for stacks that glibc
// keeps of ended threads for reuse.
//
//   +0   itself   +8 thread-local modules' vector (DTV)   +16 itself
//   +720 kernel's thread id; 0 or less once the thread has ended
//   somewhere behind: stack's lowest address, its size, the guard's size
//
// Nothing of this is taken on trust: the offset of the id is tried on the
// calling thread, and the stack is found by what its three words must be.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapledger::preload::scan {

struct ThreadBlock {
  std::uint64_t address = 0;
  std::int32_t tid = 0;
  // The stack and all above it, the control block included; 0 where unknown.
  std::uint64_t stack_low = 0;
  std::uint64_t stack_high = 0;
};

inline constexpr std::uint64_t kThreadBlockAlignment = 64;
inline constexpr std::size_t kThreadBlockWords = 288;  // 2304 bytes
inline constexpr std::size_t kThreadIdOffset = 720;
inline constexpr std::uint64_t kThreadVectorOffset = 8;
// What lies above a control block in its stack: the rest of it.
inline constexpr std::uint64_t kAboveThreadBlock = 64 << 10;

// Whether the words at an address can be a control block's first.
constexpr bool LooksLikeThreadBlock(std::uint64_t address,
                                    const std::uint64_t* words) {
  return words[0] == address && words[2] == address && words[1] != 0;
}

// Finds stack and id. `words` are the kThreadBlockWords at `address`.
inline ThreadBlock ReadThreadBlock(std::uint64_t address,
                                   const std::uint64_t* words) {
  ThreadBlock block;
  block.address = address;
  block.tid = static_cast<std::int32_t>(words[kThreadIdOffset / 8]);
  for (std::size_t i = kThreadIdOffset / 8; i + 2 < kThreadBlockWords; ++i) {
    const std::uint64_t low = words[i];
    const std::uint64_t bytes = words[i + 1];
    const std::uint64_t guard = words[i + 2];
    if (low == 0 || low % 16 != 0 || low >= address) continue;
    if (bytes <= address - low || bytes > (1ULL << 40)) continue;
    if (low + bytes - address > kAboveThreadBlock) continue;
    if (guard % 4096 != 0 || guard >= bytes) continue;
    block.stack_low = low + guard;
    block.stack_high = low + bytes;
    break;
  }
  return block;
}

}  // namespace heapledger::preload::scan
