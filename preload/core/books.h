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
#include "preload/core/byte_sampler.h"
#include "preload/core/callsite_table.h"
#include "preload/core/code_table.h"
#include "preload/core/object_map.h"
#include "preload/core/shard.h"
#include "preload/core/shard_pool.h"
#include "preload/core/tag_table.h"
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
    file_.Open(env, ledger_base, cap_bytes);
    file_.header().control.store(ledger::kModuleChange,
                                 std::memory_order_relaxed);
    tags_.Open();
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
    state->own_counters =
        state->shared_shard() ? &no_counters_ : &CountersOf(state->shard);
    state->shard_header = &file_.shard_header(state->shard);
    state->objects = objects_;
    state->control = &file_.header().control;
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

  // The callsite of a stack.
  std::uint32_t CallsiteOf(const StackView& stack) {
    return CallsiteOf(CallsiteTable::KeyOf(stack), [&](auto&&) {
      return callsites_.NodeOf(*env_, file_, generation(), stack);
    });
  }

  // What node_of() says when it cannot tell any more: nothing is interned, and
  // the callsite that is returned must not be used.
  static constexpr std::uint32_t kNodeUnknown = ~0U;

  // The same by its key. Only when it is new it is asked for its node, by
  // node_of(extend), where extend(parent node, frame) gives one from another.
  template <typename NodeOf>
  std::uint32_t CallsiteOf(const StackKey& key, NodeOf&& node_of) {
    const std::uint32_t generation = this->generation();
    if (const std::uint32_t id =
            callsites_.Find(*env_, file_, key.hash, generation)) {
      return id;
    }
    const std::uint32_t node =
        node_of([&](std::uint32_t parent, std::uint64_t frame) {
          return callsites_.Extend(*env_, file_, generation, parent, frame);
        });
    if (node == kNodeUnknown) return ledger::kOverflowCallsite;
    return callsites_.Add(*env_, file_, generation, node, key);
  }

  // The control word: requests in the low half, and the generation. Whoever
  // remembers anything about stacks compares all of it with what it was then.
  std::uint64_t attention() const {
    return file_.header().control.load(std::memory_order_acquire);
  }

  // Grows when another set of modules may be mapped.
  std::uint32_t generation() const {
    return static_cast<std::uint32_t>(attention() >> 32);
  }

  // From now on one block in `mean` bytes is booked, with the weight that it
  // has (byte_sampler.h); 0: every one, as itself.
  void set_sample_mean(std::uint32_t mean) { sample_mean_ = mean; }
  std::uint32_t sample_mean() const { return sample_mean_; }

  // What a block of this size at this address counts for.
  Amount AmountOf(std::uint64_t address, std::uint64_t bytes) const {
    if (sample_mean_ == 0) return {bytes, 1};
    // By granule, which is all that the object map can tell of an address.
    const SampleWeight weight =
        WeightOf(bytes, address >> ObjectMap::kGranuleShift, sample_mean_);
    return {weight.bytes, weight.objects};
  }

  // Books a block that was just allocated, where that is quick. REQUIRES: state
  // is not null, here and below.
  enum class Booked {
    kNo,  // use AllocatedElsewhere()
    kYes,
    kNewHigh,  // yes, and Rise() must follow
  };
  [[gnu::always_inline]] static Booked TryAllocated(ThreadState* state,
                                                    std::uint64_t address,
                                                    std::uint64_t bytes,
                                                    std::uint32_t callsite) {
    ObjectMap::Slot* const slot = state->objects.Find(address);
    ledger::CounterCell* const cell = OwnCell(state, callsite);
    if (slot == nullptr || cell == nullptr || !ObjectMap::IsSmall(bytes) ||
        slot->load(std::memory_order_relaxed) != 0) [[unlikely]] {
      return Booked::kNo;
    }
    ObjectMap::PutSmall(slot, bytes, callsite);
    BookAllocated<ShardKind::kOwned>(*cell, {bytes, 1});
    return IsNewHigh(*state->shard_header, bytes) ? Booked::kNewHigh
                                                  : Booked::kYes;
  }

  // The same, always.
  void Allocated(ThreadState* state, std::uint64_t address, std::uint64_t bytes,
                 std::uint32_t callsite) {
    switch (TryAllocated(state, address, bytes, callsite)) {
      case Booked::kYes:
        return;
      case Booked::kNewHigh:
        return Rise(file_.header(), *state->shard_header);
      case Booked::kNo:
        return AllocatedElsewhere(state, address, bytes, callsite);
    }
  }

  // Takes a block out of the object map, before the real allocator may give
  // its address to somebody else. Nothing is booked yet.
  BlockRecord Take(std::uint64_t address) { return objects_.Remove(address); }

  // Takes and books a block that is about to be freed, where that is quick;
  // false where nothing was done.
  [[gnu::always_inline]] static bool TryTakeAndFree(ThreadState* state,
                                                    std::uint64_t address) {
    ObjectMap::Slot* const slot = state->objects.Find(address);
    if (slot == nullptr) [[unlikely]]
      return false;
    const std::uint32_t word = slot->load(std::memory_order_relaxed);
    if (!ObjectMap::IsSmallBlock(word)) [[unlikely]]
      return false;
    const BlockRecord record = ObjectMap::ReadSmall(word);
    ledger::CounterCell* const cell = OwnCell(state, record.callsite);
    ledger::ShardHeader& shard = *state->shard_header;
    if (cell == nullptr || MustHandIn(shard, record.bytes)) [[unlikely]] {
      return false;
    }
    slot->store(0, std::memory_order_relaxed);
    BookFreed<ShardKind::kOwned>(*cell, {record.bytes, 1});
    AddToOwnNet(shard, -record.bytes);
    return true;
  }

  // Puts a block back that Take() gave: the real allocator refused.
  void PutBack(std::uint64_t address, const BlockRecord& record) {
    ObjectMap::Put(objects_.Find(address), record.bytes, record.callsite);
  }

  // Books a block that Take() gave as freed.
  void Freed(ThreadState* state, const BlockRecord& record) {
    ledger::CounterCell* const cell = OwnCell(state, record.callsite);
    if (cell == nullptr) [[unlikely]] {
      return FreedElsewhere(state, record.callsite, {record.bytes, 1});
    }
    BookFreed<ShardKind::kOwned>(*cell, {record.bytes, 1});
    FollowFreed<ShardKind::kOwned>(file_.header(), *state->shard_header,
                                   record.bytes);
  }

  // Allocated() in general: also for a thread without a state, for a block that
  // is the first in its part of the map, for a callsite without an account of
  // the thread's own, where another block vanished unseen, and for samples.
  [[gnu::noinline]] void AllocatedElsewhere(ThreadState* state,
                                            std::uint64_t address,
                                            std::uint64_t bytes,
                                            std::uint32_t callsite) {
    ObjectMap::Slot* const slot = objects_.Cover(*env_, address);
    if (slot == nullptr) {
      file_.CountDegraded(ledger::Degraded::kUntrackedBlock);
      return;
    }
    const BlockRecord stale = ObjectMap::Take(slot);
    if (stale.callsite != ledger::kNoCallsite) {
      file_.CountDegraded(ledger::Degraded::kUnseenFree);
      FreedElsewhere(state, stale.callsite, AmountOf(address, stale.bytes));
    }
    const Amount amount = AmountOf(address, bytes);
    if (ledger::CounterCell* const cell = AddOwnCell(state, callsite)) {
      ObjectMap::Put(slot, bytes, callsite);
      BookAllocated<ShardKind::kOwned>(*cell, amount);
      FollowAllocated<ShardKind::kOwned>(file_.header(), *state->shard_header,
                                         amount.bytes);
      return;
    }
    ledger::CounterCell* const cell = SharedCell(state, &callsite);
    ObjectMap::Put(slot, bytes, callsite);
    BookAllocated<ShardKind::kShared>(*cell, amount);
    FollowAllocated<ShardKind::kShared>(file_.header(), file_.shard_header(0),
                                        amount.bytes);
  }

  // Freed() in general; `amount` by AmountOf().
  [[gnu::noinline]] void FreedElsewhere(ThreadState* state,
                                        std::uint32_t callsite,
                                        const Amount& amount) {
    if (ledger::CounterCell* const cell = AddOwnCell(state, callsite)) {
      BookFreed<ShardKind::kOwned>(*cell, amount);
      FollowFreed<ShardKind::kOwned>(file_.header(), *state->shard_header,
                                     amount.bytes);
      return;
    }
    ledger::CounterCell* const cell = SharedCell(state, &callsite);
    BookFreed<ShardKind::kShared>(*cell, amount);
    FollowFreed<ShardKind::kShared>(file_.header(), file_.shard_header(0),
                                    amount.bytes);
  }

  // Another set of modules may be mapped: what was remembered by address is
  // asked about before it is used again. Twice, as a thread that looks while
  // the modules are gone through may still find an old one.
  void ModulesChanged() {
    BeginGeneration();
    callsites_.ModulesChanged(*env_, file_);
    BeginGeneration();
  }

  // Counts a scope, or another thing that lives for a time, as begun or ended.
  // REQUIRES: tag < kMaxTags.
  void CountBegun(const ThreadState* state, std::uint32_t tag) {
    CountScope(state, tag, &ledger::ScopeCell::begun);
  }
  void CountEnded(const ThreadState* state, std::uint32_t tag) {
    CountScope(state, tag, &ledger::ScopeCell::ended);
  }

  // Books the blocks that a forked child found live in its copy of the heap.
  // `parent` is the parent's books, as copied by the fork.
  // REQUIRES: one thread; the callsite ids below first_callsite are the
  // parent's.
  bool Inherit(const Books& parent, std::uint64_t* frames);

  // Live objects and bytes of one callsite, summed over all shards.
  LiveCount LiveOf(std::uint32_t callsite) const {
    LiveCount live{0, 0};
    for (std::uint32_t shard = 0; shard < ledger::kShardCount; ++shard) {
      const ledger::CounterCell* const cell = CountersOf(shard).At(callsite);
      if (cell == nullptr) continue;
      live.objects += Difference(cell->allocated_objects, cell->freed_objects);
      live.bytes += Difference(cell->allocated_bytes, cell->freed_bytes);
    }
    return live;
  }

  // Live bytes of the process.
  std::int64_t LiveBytes() const {
    std::int64_t live =
        file_.header().handed_in_bytes.load(std::memory_order_relaxed);
    for (std::uint32_t shard = 0; shard < ledger::kShardCount; ++shard) {
      live +=
          file_.shard_header(shard).net_bytes.load(std::memory_order_relaxed);
    }
    return live;
  }

  LedgerFile<Env>& file() { return file_; }
  CallsiteTable& callsites() { return callsites_; }
  const CallsiteTable& callsites() const { return callsites_; }
  CodeTable& codes() { return codes_; }
  TagTable& tags() { return tags_; }
  const TagTable& tags() const { return tags_; }
  ObjectMap& objects() { return objects_; }
  void set_objects(const ObjectMap& objects) { objects_ = objects; }

 private:
  void BeginGeneration() {
    file_.header().control.fetch_add(ledger::kModuleChange,
                                     std::memory_order_acq_rel);
  }

  static std::int64_t Difference(const ledger::AtomicU64& a,
                                 const ledger::AtomicU64& b) {
    return static_cast<std::int64_t>(a.load(std::memory_order_relaxed) -
                                     b.load(std::memory_order_relaxed));
  }

  CallsiteTable::Counters& CountersOf(std::uint32_t shard) {
    return shard == 0 ? callsites_.base_counters() : counters_[shard];
  }

  const CallsiteTable::Counters& CountersOf(std::uint32_t shard) const {
    return shard == 0 ? callsites_.base_counters() : counters_[shard];
  }

  // The account of a callsite that the thread writes alone, or null where it
  // has none (yet).
  static ledger::CounterCell* OwnCell(const ThreadState* state,
                                      std::uint32_t callsite) {
    return state->own_counters->AtKnown(callsite);
  }

  // Gives the thread an account for a callsite. Null when it has no shard of
  // its own or there is no room.
  ledger::CounterCell* AddOwnCell(ThreadState* state, std::uint32_t callsite) {
    if (state == nullptr || state->shared_shard()) return nullptr;
    if (callsites_.base_counters().At(callsite) == nullptr) return nullptr;
    return state->own_counters->Ensure(file_, callsite, state->shard);
  }

  void CountScope(const ThreadState* state, std::uint32_t tag,
                  ledger::AtomicU64 ledger::ScopeCell::*counter) {
    const std::uint32_t shard = state == nullptr ? 0 : state->shard;
    ledger::ScopeCell* cell = scopes_[shard].At(tag);
    if (cell == nullptr) [[unlikely]] {
      cell = AddScope(shard, tag);
      if (cell == nullptr) return;
    }
    if (ShardPool::IsShared(shard)) {
      AddTo<ShardKind::kShared>(cell->*counter, 1);
    } else {
      AddTo<ShardKind::kOwned>(cell->*counter, 1);
    }
  }

  // A scope that is not counted says so; its tag holds all the same.
  [[gnu::noinline]] ledger::ScopeCell* AddScope(std::uint32_t shard,
                                                std::uint32_t tag) {
    ledger::ScopeCell* const cell = scopes_[shard].Ensure(file_, tag, shard);
    if (cell == nullptr) file_.CountDegraded(ledger::Degraded::kLedgerFull);
    return cell;
  }

  // An account that all threads share, in the thread's shard if it has one
  // there, else in shard 0, else the overflow callsite's, which always exists;
  // `callsite` follows.
  ledger::CounterCell* SharedCell(const ThreadState* state,
                                  std::uint32_t* callsite) {
    if (state != nullptr && state->shared_shard()) {
      CallsiteTable::Counters& counters = CountersOf(state->shard);
      if (callsites_.base_counters().At(*callsite) != nullptr) {
        if (auto* const cell =
                counters.Ensure(file_, *callsite, state->shard)) {
          return cell;
        }
      }
    }
    if (auto* const cell = callsites_.base_counters().At(*callsite)) {
      return cell;
    }
    *callsite = ledger::kOverflowCallsite;
    return callsites_.base_counters().At(*callsite);
  }

  ObjectMap objects_;
  std::uint32_t sample_mean_ = 0;
  Env* env_ = nullptr;
  LedgerFile<Env> file_;
  CallsiteTable callsites_;
  CodeTable codes_;
  CallsiteTable::Counters counters_[ledger::kShardCount];
  CallsiteTable::Counters no_counters_;
  TagTable tags_;
  using Scopes = ChunkedTable<ledger::ScopeCell,
                              ledger::kMaxTags /
                                  ledger::kRecordsPerChunk<ledger::ScopeCell>>;
  Scopes scopes_[ledger::kShardCount];
  ShardPool shards_;
};

template <ModuleEnv Env>
bool Books<Env>::Inherit(const Books& parent, std::uint64_t* frames) {
  bool complete = true;
  codes_.Inherit(file_, parent.codes_);
  objects().ForEach([&](std::uint64_t address, const BlockRecord& block) {
    ledger::CounterCell* cell = callsites_.base_counters().At(block.callsite);
    const bool known = cell != nullptr && cell->allocated_objects.load(
                                              std::memory_order_relaxed) != 0;
    if (!known) {
      StackView stack;
      stack.frames = frames;
      stack.depth = parent.callsites().Read(
          block.callsite, frames, ledger::kMaxStackDepth, &stack.flags);
      if (!callsites_.Inherit(*env_, file_, generation(), block.callsite,
                              stack)) {
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
    const Amount amount = AmountOf(address, block.bytes);
    BookAllocated<ShardKind::kShared>(*cell, amount);
    file_.header().handed_in_bytes.fetch_add(
        static_cast<std::int64_t>(amount.bytes), std::memory_order_relaxed);
  });
  const std::int64_t live =
      file_.header().handed_in_bytes.load(std::memory_order_relaxed);
  file_.header().peak_live_bytes.store(static_cast<std::uint64_t>(live),
                                       std::memory_order_relaxed);
  return complete;
}

}  // namespace heapledger::preload
