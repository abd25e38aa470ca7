// SPDX-License-Identifier: Apache-2.0
// The accounts of one process: every table, and the few operations on them.
// All decisions of the shim about counting are here; where memory comes from
// and what a stack is are the Env's and the caller's.
//
// Thread safety: any thread and signal handlers, no locks. A null ThreadState
// stands for a thread that has none (any more): it books with atomic adds on
// shard 0.
//
// Invariants:
//  (1) A block is in the object map exactly while it is booked as allocated and
//      not as freed. What cannot be put in the map is not booked at all.
//  (2) A callsite id is used only where shard 0 has counters for it, so every
//      block that was booked can be booked as freed by anybody.
//  (3) No lock, no system call but growth.
#pragma once

#include <atomic>
#include <cstdint>

#include "heapledger/ledger/layout.h"
#include "preload/core/callsite_table.h"
#include "preload/core/object_map.h"
#include "preload/core/shard.h"
#include "preload/core/shard_pool.h"
#include "preload/core/thread_pool.h"
#include "preload/core/thread_state.h"

namespace heapledger::preload {

template <ModuleEnv Env>
class Books {
 public:
  // Opens fresh books over a ledger whose fixed pages are populated. The books
  // themselves lie in zeroed memory; no constructor runs on them, as that would
  // touch pages that a small program never needs.
  // `first_callsite` leaves the ids below to inherited callsites.
  bool Open(Env* env, std::byte* ledger_base, std::uint64_t cap_bytes,
            std::uint32_t first_callsite = ledger::kFirstCallsite) {
    env_ = env;
    generation_.store(1, std::memory_order_relaxed);
    file_.Open(env, ledger_base, cap_bytes);
    return callsites_.Open(*env_, file_, first_callsite);
  }

  // The state of a thread that starts to use the books; null when there is no
  // room for one.
  ThreadState* Attach(ThreadPool& threads) {
    ThreadState* const state = threads.Take(*env_);
    if (state != nullptr) GiveShard(state);
    return state;
  }

  // A shard for a state that has none in these books (new, or after a fork).
  void GiveShard(ThreadState* state) {
    state->shard = shards_.Acquire();
    state->counters = &CountersOf(state->shard);
    state->shard_header = &file_.shard_header(state->shard);
    state->shard_header->threads.fetch_add(1, std::memory_order_relaxed);
    if (state->shared_shard()) {
      file_.CountDegraded(ledger::Degraded::kSharedShard);
    } else {
      state->shard_header->owned.store(1, std::memory_order_relaxed);
    }
  }

  // Ends a thread's use of the books.
  void Detach(ThreadPool& threads, ThreadState* state) {
    if (!state->shared_shard()) {
      HandIn(file_.header(), *state->shard_header);
      state->shard_header->owned.store(0, std::memory_order_relaxed);
    }
    shards_.Release(state->shard);
    threads.Give(state);
  }

  // The callsite of a stack. `cache` may be null.
  std::uint32_t CallsiteOf(const StackView& stack, CallsiteCache* cache) {
    const std::uint64_t hash = CallsiteTable::HashOf(stack);
    const std::uint32_t generation =
        generation_.load(std::memory_order_acquire);
    if (cache != nullptr) {
      if (const std::uint32_t id = cache->Find(hash, generation)) return id;
    }
    const std::uint32_t id = callsites_.Intern(*env_, file_, stack, hash);
    if (cache != nullptr) cache->Put(hash, generation, id);
    return id;
  }

  // Books a block that was just allocated.
  void Allocated(ThreadState* state, std::uint64_t address, std::uint64_t bytes,
                 std::uint32_t callsite) {
    if (!objects().Cover(*env_, address)) [[unlikely]] {
      file_.CountDegraded(ledger::Degraded::kUntrackedBlock);
      return;
    }
    Account account = AccountFor(state, callsite);
    const BlockRecord stale =
        objects().Insert(address, bytes, account.callsite);
    if (stale.callsite != ledger::kNoCallsite) [[unlikely]] {
      file_.CountDegraded(ledger::Degraded::kUnseenFree);
      Freed(state, stale);
    }
    Book(state, account, static_cast<std::int64_t>(bytes),
         [bytes](auto kind, ledger::CounterCell& cell) {
           BookAllocated<decltype(kind)::value>(cell, bytes);
         });
  }

  // Takes a block out of the object map, before the real allocator may give
  // its address to somebody else. Nothing is booked yet.
  BlockRecord Take(std::uint64_t address) { return objects().Remove(address); }

  // Puts a block back that Take() gave: the real allocator refused.
  void PutBack(std::uint64_t address, const BlockRecord& record) {
    (void)objects().Insert(address, record.bytes, record.callsite);
  }

  // Books a block that Take() gave as freed.
  void Freed(ThreadState* state, const BlockRecord& record) {
    const Account account = AccountFor(state, record.callsite);
    Book(state, account, -static_cast<std::int64_t>(record.bytes),
         [&record](auto kind, ledger::CounterCell& cell) {
           BookFreed<decltype(kind)::value>(cell, record.bytes);
         });
  }

  // Another set of modules may be mapped: what was remembered by address is
  // forgotten.
  void ModulesChanged() {
    generation_.fetch_add(1, std::memory_order_acq_rel);
    callsites_.ModulesChanged(*env_, file_);
  }

  // Books the blocks that a forked child found live in its copy of the heap.
  // `parent` is the parent's books, as copied by the fork.
  // REQUIRES: one thread; the callsite ids below first_callsite are the
  // parent's.
  bool Inherit(const Books& parent, std::uint64_t* frames);

  LedgerFile<Env>& file() { return file_; }
  CallsiteTable& callsites() { return callsites_; }
  const CallsiteTable& callsites() const { return callsites_; }
  ObjectMap& objects() { return *objects_; }
  void set_objects(ObjectMap* objects) { objects_ = objects; }

 private:
  struct Account {
    ledger::CounterCell* cell;
    std::uint32_t callsite;
    bool own;  // in the thread's own shard: plain adds
  };

  CallsiteTable::Counters& CountersOf(std::uint32_t shard) {
    return shard == 0 ? callsites_.base_counters() : counters_[shard];
  }

  // Where to book for a callsite: the thread's shard if it has or gets counters
  // for it, else shard 0, else the overflow callsite of shard 0, which always
  // exists.
  Account AccountFor(ThreadState* state, std::uint32_t callsite) {
    if (state != nullptr) [[likely]] {
      ledger::CounterCell* cell = state->counters->At(callsite);
      if (cell == nullptr) [[unlikely]] {
        cell = GrowShard(state, callsite);
      }
      if (cell != nullptr) [[likely]] {
        return {cell, callsite, !state->shared_shard()};
      }
    }
    if (ledger::CounterCell* const cell =
            callsites_.base_counters().At(callsite)) {
      return {cell, callsite, false};
    }
    return {callsites_.base_counters().At(ledger::kOverflowCallsite),
            ledger::kOverflowCallsite, false};
  }

  [[gnu::noinline, gnu::cold]] ledger::CounterCell* GrowShard(
      ThreadState* state, std::uint32_t callsite) {
    if (callsites_.base_counters().At(callsite) == nullptr) return nullptr;
    return state->counters->Ensure(file_, callsite, state->shard);
  }

  template <ShardKind kKind>
  struct KindTag {
    static constexpr ShardKind value = kKind;
  };

  template <typename Add>
  void Book(ThreadState* state, const Account& account, std::int64_t difference,
            Add&& add) {
    if (account.own) [[likely]] {
      add(KindTag<ShardKind::kOwned>{}, *account.cell);
      Follow<ShardKind::kOwned>(file_.header(), *state->shard_header,
                                difference);
    } else {
      add(KindTag<ShardKind::kShared>{}, *account.cell);
      Follow<ShardKind::kShared>(file_.header(), file_.shard_header(0),
                                 difference);
    }
  }

  Env* env_ = nullptr;
  ObjectMap* objects_ = nullptr;
  LedgerFile<Env> file_;
  CallsiteTable callsites_;
  CallsiteTable::Counters counters_[ledger::kShardCount];
  ShardPool shards_;
  std::atomic<std::uint32_t> generation_{0};
};

template <ModuleEnv Env>
bool Books<Env>::Inherit(const Books& parent, std::uint64_t* frames) {
  bool complete = true;
  objects().ForEach([&](std::uint64_t address, const BlockRecord& block) {
    ledger::CounterCell* cell = callsites_.base_counters().At(block.callsite);
    const bool known = cell != nullptr && cell->allocated_objects.load(
                                              std::memory_order_relaxed) != 0;
    if (!known) {
      StackView stack;
      stack.frames = frames;
      stack.depth = parent.callsites().Read(
          block.callsite, frames, ledger::kMaxStackDepth, &stack.flags);
      if (!callsites_.Inherit(*env_, file_, block.callsite, stack)) {
        complete = false;
        cell = nullptr;
      } else {
        cell = callsites_.base_counters().At(block.callsite);
      }
    }
    if (cell == nullptr) {
      objects().Reassign(address, ledger::kOverflowCallsite);
      cell = callsites_.base_counters().At(ledger::kOverflowCallsite);
    }
    BookAllocated<ShardKind::kShared>(*cell, block.bytes);
    file_.header().handed_in_bytes.fetch_add(
        static_cast<std::int64_t>(block.bytes), std::memory_order_relaxed);
  });
  const std::int64_t live =
      file_.header().handed_in_bytes.load(std::memory_order_relaxed);
  file_.header().peak_live_bytes.store(static_cast<std::uint64_t>(live),
                                       std::memory_order_relaxed);
  return complete;
}

}  // namespace heapledger::preload
