// SPDX-License-Identifier: Apache-2.0
// A reachability scan of a program that goes on running, by a process of our
// own that shares its memory (live_scan.h). What is reachable is marked while
// the program runs, with the kernel keeping account of the pages that it writes
// to (dirty_pages.h); in the end its threads stand still for as long as it
// takes to look at their registers, stacks and the pages written to of late.
// What no pointer reaches then was unreachable at that moment, and stays so.
//
// Without that account all is done while they stand still, which only a small
// program is quick enough for.
//
// Invariants:
//  (1) A block is found only if it was live and unmarked before the threads
//      stood still, and live and unmarked when they did.
//  (2) Pages are tracked before the index of blocks is made: a block that is
//  not
//      in it lies in pages that count as written, and is taken for reached.
#pragma once

#include <cstdint>

#include "preload/dirty_pages.h"
#include "preload/reach_scan.h"

namespace heapledger::preload {

struct LiveLimits {
  std::uint64_t pause_ns;  // the threads stand still no longer than that
  std::uint64_t total_ns;
};

// REQUIRES: a process of our own, with GuardCopies(); the lot has admitted
// guests of process `pid`, one of whose threads, `own_tid`, made this process.
// The lot is empty afterwards unless a thread is still to come.
ReachResult FindUnreachableAlive(ReachScan& scan, DirtyPages& pages,
                                 ScanEnv& env, std::int32_t pid,
                                 std::int32_t own_tid,
                                 const LiveLimits& limits);

}  // namespace heapledger::preload
