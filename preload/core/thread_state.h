// SPDX-License-Identifier: Apache-2.0
// What one thread of the target keeps: its shard, what it remembers of stacks,
// its buffer for walking, and the guard against being interrupted while it uses
// them.
//
// Thread safety: one thread at a time, and signal handlers on that thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "heapledger/ledger/layout.h"
#include "preload/core/byte_sampler.h"
#include "preload/core/callsite_table.h"
#include "preload/core/cost_meter.h"
#include "preload/core/governor.h"
#include "preload/core/object_map.h"
#include "preload/core/shard_pool.h"
#include "preload/core/tag_scopes.h"
#include "preload/unwind/incremental_walk.h"
#include "preload/unwind/last_stack.h"
#include "preload/unwind/stack_memo.h"

namespace heapledger::preload {

struct PythonThread;

// Says whether the thread is inside its own state already: true of a signal
// handler that interrupted us and now allocates.
//
// A handler that jumps out with siglongjmp leaves the guard held by a frame
// that is gone. The guard remembers where that frame was: a caller that stands
// further out on the stack than the holder cannot have been called by it, so
// the hold is void. A handler on an alternate stack at a higher address looks
// the same; it then takes over, and the interrupted holder finds on Leave that
// its turn was taken and says so, so that the caller drops what it cached.
class ReentryGuard {
 public:
  // Returns false when the caller must not touch the state.
  bool Enter(std::uint64_t stack_address) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (stack_address < holder_) [[unlikely]]
      return false;
    holder_ = stack_address;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return true;
  }

  // Whether nobody took over since Enter().
  bool IsHeldBy(std::uint64_t stack_address) const {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return holder_ == stack_address;
  }

  // Returns false when somebody else took over since Enter().
  bool Leave(std::uint64_t stack_address) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    const bool ours = holder_ == stack_address;
    holder_ = 0;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return ours;
  }

  void Reset() { holder_ = 0; }

 private:
  std::uint64_t holder_ = 0;
};

struct ThreadState {
  // Counters that this thread alone writes; where it has no shard of its own, a
  // table that stays empty.
  CallsiteTable::Counters* own_counters = nullptr;
  ledger::ShardHeader* shard_header = nullptr;
  // The process', here so that a call has all it needs in two cache lines.
  ObjectMap objects;
  const ledger::AtomicU64* control = nullptr;
  std::uint32_t shard = 0;
  std::uint32_t index = 0;  // in the pool, for ever

  ReentryGuard guard;
  // Books::attention() as it was when the thread last followed it. Something
  // else makes the next call look what it has to follow first.
  std::uint64_t attention = 0;
  std::uint64_t remembered = 0;   // Books::attention() of what is remembered
  std::uint32_t exit_rounds = 0;  // of pthread key destructors
  // What is known of this thread's own stack: readable from low to high.
  unwind::StackBounds stack;

  TagScopes scopes;

  ByteSampler sampler;  // sampled mode
  CostMeter cost;       // adaptive depth

  unwind::StackMemo memo;
  unwind::LastStack last_stack;
  std::uint64_t frames[ledger::kMaxStackDepth];  // for other kinds of walks
  Governor governor;
  // What a thread that runs Python code keeps besides; null for others.
  PythonThread* python = nullptr;

  // What is known of the thread's stack has changed.
  void SetStack(const unwind::StackBounds& bounds) {
    stack = bounds;
    memo.SetBounds(bounds);
    last_stack.Forget();
  }

  // Books::attention() as it is now.
  std::uint64_t CurrentAttention() const {
    return control->load(std::memory_order_acquire);
  }

  // Has the next call look at what the thread has to follow.
  void CallAttention() { attention = 0; }

  // Drops what depends on rules and modules.
  void ForgetStacks() {
    memo.Forget();
    last_stack.Forget();
  }

  bool shared_shard() const { return ShardPool::IsShared(shard); }
};

}  // namespace heapledger::preload
