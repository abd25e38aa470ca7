// SPDX-License-Identifier: Apache-2.0
// From an interposed call to the books: the hot path. Nothing here decides what
// to count (core/books.h) or how to walk (unwind/walker.h); it only brings the
// thread's state, the stack and the block together.
#pragma once

#include <cstddef>
#include <cstdint>

#include "preload/lifecycle.h"
#include "preload/unwind/registers.h"

namespace heapledger::preload {

// The caller of the exported function in which this is expanded, as it will be
// right after the return.
#define HEAPLEDGER_CALLER()                                               \
  ::heapledger::preload::unwind::Registers {                              \
    reinterpret_cast<std::uint64_t>(__builtin_return_address(0)),         \
        reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)) + 16, \
        *static_cast<const std::uint64_t*>(__builtin_frame_address(0))    \
  }

// Books a block. REQUIRES: the gate is kActive; block is not null.
void RecordAllocated(const unwind::Registers& caller, void* block,
                     std::size_t bytes);

// Takes a block out of the map before it is given back, and books it. Returns
// false for a block that was never booked.
// REQUIRES: the gate is kActive; block is not null.
bool RecordFreed(void* block);

// The two halves of it, for realloc: the real allocator may still refuse.
BlockRecord TakeBlock(void* block);
void PutBlockBack(void* block, const BlockRecord& record);
void RecordFreed(const BlockRecord& record);

// Counts a free of a block that was never booked.
void CountForeignFree();

}  // namespace heapledger::preload
