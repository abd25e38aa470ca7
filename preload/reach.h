// SPDX-License-Identifier: Apache-2.0
// One reachability scan of this very process: stops the other threads, reads
// what is not heap as roots (registers, live parts of stacks, thread-local
// storage, globals, every mapping that can hold a pointer), marks what they
// reach, and leaves the rest as leaks.
//
// Not roots: our own memory, the allocator's (scan/heap_area.h), the dead parts
// of stacks, and stacks that glibc keeps of ended threads. Of libc's own data
// only pointers to the very start of a block count: its free lists point into
// the middle of things.
//
// Memory comes from the kernel; nothing of libc is called.
#pragma once

#include <cstdint>

#include "heapledger/ledger/reasons.h"
#include "preload/park.h"
#include "preload/scan/block_index.h"
#include "preload/scan/leak_split.h"
#include "preload/scan/marker.h"
#include "preload/scan/range_list.h"
#include "preload/scan/thread_block.h"
#include "preload/scan_memory.h"

namespace heapledger::preload {

// The thread that scans, as it was when it called us.
struct CallerState {
  std::uint64_t registers[6];  // rbx, rbp, r12 to r15: those that a call keeps
  std::uint64_t rsp;
};

struct ReachResult {
  ledger::ScanReason reason = ledger::ScanReason::kNone;
  // Blocks that nothing reached, by address; null where there are none. Stays
  // mapped.
  scan::LeakedBlock* leaks = nullptr;
  std::uint64_t leak_count = 0;
  std::uint64_t blocks = 0;
  std::uint64_t threads = 0;
  std::uint64_t root_bytes = 0;
  std::uint64_t pause_ns = 0;
};

// Scans. REQUIRES: a ledger, and every live block in the object map; no other
// scan is on. Takes 10 seconds at most, or gives up.
ReachResult FindUnreachable(const CallerState& caller);

}  // namespace heapledger::preload
