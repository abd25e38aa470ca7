// SPDX-License-Identifier: Apache-2.0
// The reachability scan of a process that ends: stops the other threads, reads
// what is not heap as roots (registers, live parts of stacks, thread-local
// storage, globals, every mapping that can hold a pointer), marks what they
// reach, and leaves the rest as leaks. What is root and what is not:
// reach_scan.h.
#pragma once

#include <cstdint>

#include "heapledger/ledger/reasons.h"
#include "preload/scan/leak_split.h"

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
