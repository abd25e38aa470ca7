// SPDX-License-Identifier: Apache-2.0
// Whether the program gave up system calls (seccomp): then one of ours might
// get it killed.
//
// Thread safety: any thread.
#pragma once

namespace heapledger::preload {

// How many filters there are at the start, for those that the program may add.
// Asks the kernel.
void CountFilters();

// The program does it by a call that we see.
void ProgramSealsItself();

// Whether it did so. No system call.
bool HasSealedItself();
// The same, also where it went past us: asks the kernel.
bool HasMoreFilters();

}  // namespace heapledger::preload
