// SPDX-License-Identifier: Apache-2.0
// The reachability scan of the running program, when the ledger's control word
// asks for one: a process of our own that shares the program's memory and
// nothing else (no handlers, no descriptors, no signal at its end) does it
// (live_reach.h) and books the result in the ledger.
//
//   asked -> StartLiveScan() -> running -> complete or incomplete
//                                            -> ReapLiveScan()
//
// It is no thread of the program's, so that a fault of ours is its end alone,
// and no thread of the program's is needed for it; when the program ends or
// runs another, it finds out and ends.
//
// Thread safety: any thread.
#pragma once

#include <cstdint>

namespace heapledger::preload {

// Starts one, if none is on and it may be risked; what became of it is in the
// ledger. `pause_ms`: for how long the program's threads may stand still, 0 for
// kDefaultPauseMs. Costs the calling thread some microseconds.
inline constexpr std::uint32_t kDefaultPauseMs = 20;
void StartLiveScan(std::uint32_t pause_ms);

// Buries the process of a scan that is done.
void ReapLiveScan();

// Ends the one that is on, at once: the program ends.
void StopLiveScan();

// The same where the program is about to run another one in its place. A child
// that borrows the program's memory, as of vfork, leaves it alone.
void StopLiveScanBeforeExec();

// In a forked child: its parent's is none of its own.
void ForgetLiveScan();

}  // namespace heapledger::preload
