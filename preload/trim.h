// SPDX-License-Identifier: Apache-2.0
// A trim of the program's allocator, when the ledger's control word asks for
// one: by the thread that takes the request, on its own slow path, with none of
// our locks held. What became of it is in the ledger.
//
// Thread safety: any thread.
#pragma once

#include "heapledger/ledger/requests.h"

namespace heapledger::preload {

// Trims, or says in the ledger why not: too soon after the last one, sealed, in
// a signal handler (which may have interrupted the allocator itself). Holds the
// calling thread up for as long as the allocator takes; errno stays.
void ServeTrim(ledger::TrimAsker asker);

// In a forked child: its parent's is none of its own.
void ForgetTrim();

}  // namespace heapledger::preload
