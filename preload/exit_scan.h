// SPDX-License-Identifier: Apache-2.0
// The reachability scan when a process ends (HEAPLEDGER_SCAN=exit), in two
// steps: what is unreachable when the end begins, before destructors take the
// program's data apart, and of that what still lives when they have run.
//
//   pending --ExitBegins()--> running --ExitEnds()--> complete or incomplete
//
// Thread safety: any thread; the first one counts.
#pragma once

#include "preload/reach.h"

namespace heapledger::preload {

// Makes ready for it where the settings ask for it: at the start of the image
// and of a forked child, once there is a ledger.
void PrepareExitScan();

// Whether it is asked for and ready; or may become so, where the shim waits for
// the first call to reach it (a program that has a malloc of its own, or that
// only looks so, as one does that takes malloc's address).
bool ScansAtExit();
bool MayScanAtExit();

// Has what runs at the very end called: ExitEnds(), after all handlers and
// destructors. Once; before the program's own start.
void WatchTheEnd();

// The process is about to end: looks for unreachable blocks. Does nothing the
// second time, in a child that borrows our memory, and without a ledger.
void ExitBegins(const CallerState& caller);

// Nothing of the program runs any more: books what is left of what was found.
void ExitEnds();

}  // namespace heapledger::preload
