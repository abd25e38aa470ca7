// SPDX-License-Identifier: Apache-2.0
// Scopes of the program's own making, on the thread that makes them: under
// which tag what it allocates is booked.
//
// Beginning and leaving a scope is a store to a thread-local word, the thread's
// list of scopes and a counter. The hot path does not look at the word: a
// change makes the thread's next call look (ThreadState::CallAttention), which
// then switches what the thread remembers. So a program without tags pays
// nothing for them, and inside a scope a call costs what it costs outside.
//
// realloc books its block anew, like its stack so its tag: that of whoever
// called it last.
//
// Thread safety: any thread and signal handlers.
#pragma once

#include <cstdint>

#include "preload/core/tag_scopes.h"
#include "preload/core/tag_table.h"
#include "preload/lifecycle.h"

namespace heapledger::preload {

// The tag of the innermost scope that the calling thread is in.
HEAPLEDGER_HIDDEN extern constinit thread_local std::uint32_t t_tag;

// All of these REQUIRE that there is a ledger (Running()).

// The tag of a text. Not in a hot path: a program keeps what it gets.
std::uint32_t TagOf(const TagText& text);

// Begins a scope. The word that ends it, by the same thread; 0 where scopes are
// nested too deeply for another.
std::uint32_t BeginScope(std::uint32_t tag, ScopeKind kind);

// Ends a scope, and with it those inside that are still open. Word 0, and one
// whose scope is over, do nothing.
void EndScope(std::uint32_t word);

// Counts things with a tag that live for a time, whatever threads work on them.
void CountLiveThing(std::uint32_t tag);
void CountDeadThing(std::uint32_t tag);

// At a thread's end: counts its scopes as over. What it still allocates is
// booked under the tag that it has.
void LeaveAllScopes(ThreadState* state);

// In a forked child: the scopes that its thread was in are open here too.
void TakeScopes(ThreadState* state, const TagScopes& scopes);

}  // namespace heapledger::preload
