// SPDX-License-Identifier: Apache-2.0
// The one thread that we ever make in a program: asked for with
// HEAPLEDGER_PYTHON=metrics, and only where there is a CPython. It reads the
// interpreter's own figures, with the GIL held as briefly as that takes, and
// writes them to the ledger.
//
// What the program can see of it: one thread more (CPython 3.12 and later warn
// at os.fork() of programs with threads), one function in gc.callbacks, one
// among os.register_at_fork(). It runs no code of the program, makes no
// collection, and handles no signal.
//
// Rules that keep it from ever hanging or crashing the program:
//  (1) It takes the GIL like any thread of the program's, through a thread
//      state of its own; an interpreter that ends lets such threads end, or
//      sleep for ever, at that very call. So nothing between asking for the GIL
//      and giving it back needs undoing, and nobody waits for this thread.
//  (2) Automatic collection is off while it works: else a collection might run
//      the program's finalizers on it.
//  (3) Once installed it makes no system call but to sleep, and libc's and
//      Python's own: a program that gave up system calls still has those.
//
// Thread safety: any thread.
#pragma once

#include "heapledger/ledger/python_record.h"

namespace heapledger::preload {

// Starts the helper if it is asked for, not there yet, and CPython's library
// is. Outside of calls to be booked, or with the guard held.
void StartPythonHelper();

// Has the next allocation do so.
void AskForPythonHelper();

// A module was seen for the first time. If it is CPython's library, loaded
// after us, the helper is started at the next allocation.
void NoticeRuntime(const char* path, ledger::AtomicU64& control);

}  // namespace heapledger::preload
