// SPDX-License-Identifier: Apache-2.0
// What the program says is no leak, by LeakSanitizer's interface: blocks that
// it names, and those that a thread allocates while it has this switched off.
// They count as reached by every scan, and so does what they point to.
//
// Thread safety: any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/lifecycle.h"

namespace heapledger::preload {

// How often the calling thread has asked that what it allocates be ignored, and
// not taken it back.
HEAPLEDGER_HIDDEN extern constinit thread_local std::uint32_t t_ignoring;

// Whether any thread ever did: no callsite is looked at otherwise.
bool EverIgnoring();

// Begins and ends it for the calling thread.
void BeginIgnoring();
void EndIgnoring();

// Has the block that an address lies in ignored for as long as it lives. Beyond
// kMostIgnored such blocks it is not.
inline constexpr std::uint32_t kMostIgnored = 1U << 16;
void IgnoreBlock(const void* address);

// A block that was named, as long as it lives.
struct IgnoredBlock {
  std::atomic<std::uint64_t> block{0};  // its granule's address; set last
  std::atomic<std::uint32_t> slot_word{0};
};

// How many were named and found room, and where they are.
std::uint32_t IgnoredBlocks(const IgnoredBlock** blocks);

}  // namespace heapledger::preload
