// SPDX-License-Identifier: Apache-2.0
// Adding to a shard's counters, and the peak of the process' live bytes.
//
// Thread safety: an owned shard has one writing thread at a time and takes
// plain adds; each add is one instruction, so a signal handler on that thread
// that allocates in between loses nothing. A shared shard takes atomic adds.
//
// Peak: each shard keeps the difference it made since it last handed in (net)
// and the highest value of that (high water). At 64 KiB of difference either
// way it hands in: the sum of handed-in differences plus the shard's own high
// water is a live size that the process really had, to within 64 KiB for each
// other shard. With one shard in use it is exact to the byte.
#pragma once

#include <atomic>
#include <cstdint>

#include "heapledger/ledger/layout.h"

namespace heapledger::preload {

inline constexpr std::int64_t kHandInBytes = 64 * 1024;

enum class ShardKind { kOwned, kShared };

namespace shard_internal {

inline void PlainAdd(ledger::AtomicU64& counter, std::uint64_t value) {
  // One read-modify-write instruction without a lock prefix: whole with
  // respect to signals on this thread and to readers in other processes.
  asm("addq %1, %0"
      : "+m"(*reinterpret_cast<std::uint64_t*>(&counter))
      : "er"(value)
      : "cc");
}

}  // namespace shard_internal

template <ShardKind kKind>
inline void AddTo(ledger::AtomicU64& counter, std::uint64_t value) {
  if constexpr (kKind == ShardKind::kOwned) {
    shard_internal::PlainAdd(counter, value);
  } else {
    counter.fetch_add(value, std::memory_order_relaxed);
  }
}

// Adds to an owned shard's difference.
inline void AddToOwnNet(ledger::ShardHeader& shard, std::uint64_t bytes) {
  asm("addq %1, %0"
      : "+m"(*reinterpret_cast<std::int64_t*>(&shard.net_bytes))
      : "er"(bytes)
      : "cc");
}

// Adds to the shard's difference and returns it.
template <ShardKind kKind>
inline std::int64_t AddToNet(ledger::ShardHeader& shard, std::uint64_t bytes) {
  if constexpr (kKind == ShardKind::kOwned) {
    AddToOwnNet(shard, bytes);
    return shard.net_bytes.load(std::memory_order_relaxed);
  } else {
    const auto difference = static_cast<std::int64_t>(bytes);
    return shard.net_bytes.fetch_add(difference, std::memory_order_relaxed) +
           difference;
  }
}

// Adds the shard's difference to the process' and starts it anew.
[[gnu::noinline]] inline void HandIn(ledger::Header& header,
                                     ledger::ShardHeader& shard) {
  const std::int64_t net = shard.net_bytes.load(std::memory_order_relaxed);
  const std::int64_t high =
      shard.high_water_bytes.load(std::memory_order_relaxed);
  const std::int64_t before =
      header.handed_in_bytes.fetch_add(net, std::memory_order_relaxed);
  shard.net_bytes.fetch_sub(net, std::memory_order_relaxed);
  shard.high_water_bytes.store(0, std::memory_order_relaxed);
  const std::int64_t reached = before + (high > net ? high : net);
  if (reached <= 0) return;
  std::uint64_t peak = header.peak_live_bytes.load(std::memory_order_relaxed);
  while (peak < static_cast<std::uint64_t>(reached) &&
         !header.peak_live_bytes.compare_exchange_weak(
             peak, static_cast<std::uint64_t>(reached),
             std::memory_order_relaxed)) {
  }
}

// Notes a new highest value of the shard's difference.
[[gnu::noinline]] inline void Rise(ledger::Header& header,
                                   ledger::ShardHeader& shard) {
  const std::int64_t net = shard.net_bytes.load(std::memory_order_relaxed);
  shard.high_water_bytes.store(net, std::memory_order_relaxed);
  if (net > kHandInBytes) HandIn(header, shard);
}

// Adds a block to an owned shard's difference. True when that is higher than
// ever: then Rise() must be called. The difference can only be too high when it
// is higher than ever, and too low after a free: one compare each.
inline bool IsNewHigh(ledger::ShardHeader& shard, std::uint64_t bytes) {
  return AddToNet<ShardKind::kOwned>(shard, bytes) >
         shard.high_water_bytes.load(std::memory_order_relaxed);
}

// Follows live bytes for the peak.
template <ShardKind kKind>
inline void FollowAllocated(ledger::Header& header, ledger::ShardHeader& shard,
                            std::uint64_t bytes) {
  const std::int64_t net = AddToNet<kKind>(shard, bytes);
  if (net > shard.high_water_bytes.load(std::memory_order_relaxed)) {
    Rise(header, shard);
  }
}

// Whether FollowFreed() will hand in.
inline bool MustHandIn(const ledger::ShardHeader& shard, std::uint64_t bytes) {
  return shard.net_bytes.load(std::memory_order_relaxed) -
             static_cast<std::int64_t>(bytes) <
         -kHandInBytes;
}

template <ShardKind kKind>
inline void FollowFreed(ledger::Header& header, ledger::ShardHeader& shard,
                        std::uint64_t bytes) {
  const std::int64_t net = AddToNet<kKind>(shard, -bytes);
  if (net < -kHandInBytes) [[unlikely]] {
    HandIn(header, shard);
  }
}

// What a block counts for: itself, or what a sample stands for.
struct Amount {
  std::uint64_t bytes;
  std::uint64_t objects;
};

// Books one block on a cell of the shard.
template <ShardKind kKind>
inline void BookAllocated(ledger::CounterCell& cell, const Amount& amount) {
  AddTo<kKind>(cell.allocated_bytes, amount.bytes);
  AddTo<kKind>(cell.allocated_objects, amount.objects);
}

template <ShardKind kKind>
inline void BookFreed(ledger::CounterCell& cell, const Amount& amount) {
  AddTo<kKind>(cell.freed_bytes, amount.bytes);
  AddTo<kKind>(cell.freed_objects, amount.objects);
}

}  // namespace heapledger::preload
