// SPDX-License-Identifier: Apache-2.0
// The states of all threads that ever were, in private memory, recycled.
//
// Thread safety: any thread, no locks; the free list carries a tag against ABA.
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/core/env.h"
#include "preload/core/thread_state.h"

namespace heapledger::preload {

class ThreadPool {
 public:
  static constexpr std::uint32_t kSlabStates = 32;
  static constexpr std::uint32_t kMaxSlabs = 2048;

  // A state with no shard yet, or null when memory or room is out.
  template <MemoryEnv Env>
  ThreadState* Take(Env& env) {
    std::uint64_t head = free_.load(std::memory_order_acquire);
    while (Index(head) != 0) {
      ThreadState* const state = At(Index(head) - 1);
      const std::uint64_t next =
          next_[Index(head) - 1].load(std::memory_order_relaxed);
      if (free_.compare_exchange_weak(head, Tagged(head, next),
                                      std::memory_order_acq_rel)) {
        return state;
      }
    }
    const std::uint32_t index = count_.fetch_add(1, std::memory_order_relaxed);
    if (index >= kSlabStates * kMaxSlabs) {
      count_.store(kSlabStates * kMaxSlabs, std::memory_order_relaxed);
      return nullptr;
    }
    if (!EnsureSlab(env, index / kSlabStates)) return nullptr;
    ThreadState* const state = At(index);
    state->index = index;
    return state;
  }

  void Give(ThreadState* state) {
    state->guard.Reset();
    state->exit_rounds = 0;
    std::uint64_t head = free_.load(std::memory_order_relaxed);
    do {
      next_[state->index].store(static_cast<std::uint32_t>(Index(head)),
                                std::memory_order_relaxed);
    } while (!free_.compare_exchange_weak(head, Tagged(head, state->index + 1),
                                          std::memory_order_acq_rel));
  }

  // Forgets every state and what it held. For a forked child, in which no other
  // thread exists.
  template <MemoryEnv Env>
  void Reset(Env& env) {
    for (auto& slab : slabs_) {
      ThreadState* const states = slab.load(std::memory_order_relaxed);
      if (states == nullptr) continue;
      env.Discard(states, kSlabStates * sizeof(ThreadState));
    }
    free_.store(0, std::memory_order_relaxed);
    count_.store(0, std::memory_order_relaxed);
  }

 private:
  static std::uint64_t Index(std::uint64_t word) { return word & 0xffffffffU; }
  static std::uint64_t Tagged(std::uint64_t old, std::uint64_t index) {
    return (((old >> 32) + 1) << 32) | index;
  }

  ThreadState* At(std::uint64_t index) const {
    return slabs_[index / kSlabStates].load(std::memory_order_acquire) +
           index % kSlabStates;
  }

  template <typename Env>
  bool EnsureSlab(Env& env, std::uint32_t slab) {
    if (slabs_[slab].load(std::memory_order_acquire) != nullptr) return true;
    void* const memory = env.MapPrivate(kSlabStates * sizeof(ThreadState));
    if (memory == nullptr) return false;
    ThreadState* none = nullptr;
    if (!slabs_[slab].compare_exchange_strong(none,
                                              static_cast<ThreadState*>(memory),
                                              std::memory_order_acq_rel)) {
      env.Unmap(memory, kSlabStates * sizeof(ThreadState));
    }
    return true;
  }

  std::atomic<ThreadState*> slabs_[kMaxSlabs] = {};
  // Successor on the free list, as index + 1; 0 ends it.
  std::atomic<std::uint32_t> next_[kSlabStates * kMaxSlabs] = {};
  std::atomic<std::uint64_t> free_{0};
  std::atomic<std::uint32_t> count_{0};
};

}  // namespace heapledger::preload
