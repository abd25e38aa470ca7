// SPDX-License-Identifier: Apache-2.0
// Hands shards to threads. The first threads get one of their own; further ones
// share. A shard that a thread leaves goes whole to the next thread: what it
// counted stays, nothing is merged.
//
// Thread safety: any thread, no locks.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "heapledger/ledger/abi.h"

namespace heapledger::preload {

class ShardPool {
 public:
  static constexpr std::uint32_t kOwnedShards =
      ledger::kShardCount - ledger::kSharedShards;
  static_assert(kOwnedShards <= 32);

  static constexpr bool IsShared(std::uint32_t shard) {
    return shard < ledger::kSharedShards;
  }

  // A shard that nobody else has, or one of the shared ones.
  std::uint32_t Acquire() {
    std::uint32_t taken = taken_.load(std::memory_order_relaxed);
    for (;;) {
      const auto free = static_cast<std::uint32_t>(std::countr_one(taken));
      if (free >= kOwnedShards) break;
      // Acquire: pairs with the release of the thread that left the shard, so
      // that its last plain adds are seen.
      if (taken_.compare_exchange_weak(taken, taken | (1U << free),
                                       std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return ledger::kSharedShards + free;
      }
    }
    return next_shared_.fetch_add(1, std::memory_order_relaxed) %
           ledger::kSharedShards;
  }

  void Release(std::uint32_t shard) {
    if (IsShared(shard)) return;
    taken_.fetch_and(~(1U << (shard - ledger::kSharedShards)),
                     std::memory_order_release);
  }

 private:
  std::atomic<std::uint32_t> taken_{0};
  std::atomic<std::uint32_t> next_shared_{0};
};

}  // namespace heapledger::preload
