// SPDX-License-Identifier: Apache-2.0
#include "preload/tags.h"

#include <atomic>

#include "preload/recorder.h"

namespace heapledger::preload {

constinit thread_local std::uint32_t t_tag = ledger::kNoTag;

namespace {

// What a program gives need not be what it got.
std::uint32_t Known(std::uint32_t tag) {
  return tag < ledger::kMaxTags ? tag : ledger::kOtherTag;
}

// Has what the thread allocates from now on booked under a tag. Attention
// twice: a handler that comes in between, and allocates, follows the tag
// before.
void SetTag(ThreadState* state, std::uint32_t tag) {
  if (state != nullptr) state->CallAttention();
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t_tag = tag;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (state != nullptr) state->CallAttention();
}

}  // namespace

std::uint32_t TagOf(const TagText& text) {
  return g_books->tags().IdOf(g_books->file(), text);
}

std::uint32_t BeginScope(std::uint32_t tag, ScopeKind kind) {
  tag = Known(tag);
  ThreadState* const state = recorder_internal::CurrentThread();
  ScopeToken token{ScopeToken::kUnlisted, t_tag};
  if (state != nullptr) {
    token.outer_depth = state->scopes.depth;
    if (token.outer_depth >= TagScopes::kDeepest) return 0;
    if (state->scopes.Begin(tag, kind)) g_books->CountBegun(state, tag);
  }
  SetTag(state, tag);
  return token.Pack();
}

void EndScope(std::uint32_t word) {
  if (word == 0) return;
  const ScopeToken token = ScopeToken::Unpack(word);
  ThreadState* const state = recorder_internal::CurrentThread();
  if (state != nullptr && token.outer_depth != ScopeToken::kUnlisted) {
    if (state->scopes.depth <= token.outer_depth) return;
    state->scopes.Leave(token.outer_depth, [state](std::uint32_t tag) {
      g_books->CountEnded(state, tag);
    });
  }
  SetTag(state, Known(token.outer_tag));
}

void CountLiveThing(std::uint32_t tag) {
  if (tag == ledger::kNoTag) return;
  g_books->CountBegun(recorder_internal::CurrentThread(), Known(tag));
}

void CountDeadThing(std::uint32_t tag) {
  if (tag == ledger::kNoTag) return;
  g_books->CountEnded(recorder_internal::CurrentThread(), Known(tag));
}

void LeaveAllScopes(ThreadState* state) {
  state->scopes.Leave(
      0, [state](std::uint32_t tag) { g_books->CountEnded(state, tag); });
}

void TakeScopes(ThreadState* state, const TagScopes& scopes) {
  state->scopes = scopes;
  scopes.ForEachOpen(
      [state](std::uint32_t tag) { g_books->CountBegun(state, tag); });
}

}  // namespace heapledger::preload
