// SPDX-License-Identifier: Apache-2.0
// The allocator under us as something that can be asked to give memory back,
// beyond the functions that every allocator has (real_malloc.h). Its functions
// are weak imports, bound when we are loaded: a call looks nothing up.
//
// Thread safety: any thread, but in no signal handler, and not before
// RealMalloc::Resolve(): what is called takes the allocator's own locks.
#pragma once

#include <cstdint>

#include "heapledger/ledger/requests.h"

namespace heapledger::preload {

// Which one it is: the one whose functions lie in the object that holds the
// malloc we pass calls on to.
ledger::Allocator FindAllocator();

// By its own account, in bytes; 0 where it does not say.
struct AllocatorFigures {
  std::uint64_t held = 0;  // from the kernel
  std::uint64_t free = 0;  // of that, in no block
};
AllocatorFigures ReadFigures(ledger::Allocator allocator);

// Has it return free memory to the kernel. What it can:
//   glibc     whole pages of free chunks of every arena, and the main one's top
//   jemalloc  all unused pages of every arena, and the calling thread's cache
//   tcmalloc  free spans, and the calling thread's cache; what is in the caches
//             of other threads keeps its spans
//   mimalloc  part of the unused pages of the calling thread, and those of
//   ended
//             threads; it lets go of the rest in its own time
// Of another allocator nothing is known but that glibc's may lie under it.
ledger::TrimResult TrimAllocator(ledger::Allocator allocator);

}  // namespace heapledger::preload
