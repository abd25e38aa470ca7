// SPDX-License-Identifier: Apache-2.0
// The program's side of requests for less memory: it polls for them, waits for
// them, or runs what it registered, always on a thread that it calls us with.
// include/heapledger/pressure.h is the contract.
//
// A request is a field of the ledger's control word that allocations leave
// alone, so it stands until it is taken here; whoever asked wakes those who
// wait on that word.
//
// Thread safety: any thread.
#pragma once

namespace heapledger::preload {

using PressureCallback = void (*)(int level, void* context);

// An id, or 0.
int AddListener(int least_level, PressureCallback callback, void* context);
// Waits until it does not run. False where nobody has the id.
bool RemoveListener(int id);

// The level asked for, which is then taken; 0: none.
int TakePressure();
// Waits for it; negative: for ever. Serves other requests meanwhile.
int AwaitPressure(int timeout_ms);
// How many callbacks ran; negative where another thread is at it.
inline constexpr int kAnotherRuns = -2;
int RunListeners(int timeout_ms);

// In a forked child, once it has a ledger: its parent's listeners are its own,
// too, but for those that other threads were adding or removing.
void InheritListeners();

}  // namespace heapledger::preload
