// SPDX-License-Identifier: Apache-2.0
// Might a sampled block start here? Where most blocks are no samples, this is
// all that the free of such a block costs: two loads from tables small enough
// to stay in the cache, instead of a miss in the object map.
//
//   directory[address >> 26] -> leaf[(address >> 14) & 4095] -> count of
//   samples
//
// One byte of counts per 16 KiB of heap: a leaf is just a page and stands for
// 64 MiB, and with one sample in 512 KiB few of the ranges hold any.
//
// Thread safety: any thread and signal handlers, no locks. Counts are read
// relaxed: that a block's free comes after its allocation is the program's own
// business, and orders the Add() before the MightHold() as well.
//
// Invariants:
//  (1) MightHold() is true of every address that was added and not removed.
//  (2) A count that once reached 255 stays: the range is then always suspected.
//
// All zeros is a filter that holds nothing and can add nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "preload/core/env.h"

namespace heapledger::preload {

class SampleFilter {
 public:
  static constexpr std::uint32_t kRangeShift = 14;
  static constexpr std::uint32_t kLeafShift = 26;
  static constexpr std::uint32_t kAddressBits = 47;
  static constexpr std::size_t kDirectoryEntries =
      std::size_t{1} << (kAddressBits - kLeafShift);
  static constexpr std::size_t kLeafRanges = std::size_t{1}
                                             << (kLeafShift - kRangeShift);

  template <MemoryEnv Env>
  bool Open(Env& env) {
    directory_ = static_cast<std::atomic<Count*>*>(
        env.MapPrivate(kDirectoryEntries * sizeof(std::atomic<Count*>)));
    if (directory_ == nullptr) return false;
    // Release: pairs with the acquire in LeafOf().
    entries_.store(kDirectoryEntries, std::memory_order_release);
    return true;
  }

  bool MightHold(std::uint64_t address) const {
    const Count* const leaf = LeafOf(address);
    if (leaf == nullptr) return false;
    return leaf[Range(address)].load(std::memory_order_relaxed) != 0;
  }

  // Notes a sample. Returns false when there is no room: the block's free would
  // not be noticed then, so it must not be booked.
  template <MemoryEnv Env>
  [[nodiscard]] bool Add(Env& env, std::uint64_t address) {
    Count* leaf = LeafOf(address);
    if (leaf == nullptr) [[unlikely]] {
      leaf = AddLeaf(env, address);
      if (leaf == nullptr) return false;
    }
    Count& count = leaf[Range(address)];
    std::uint8_t seen = count.load(std::memory_order_relaxed);
    while (seen != kStuck && !count.compare_exchange_weak(
                                 seen, static_cast<std::uint8_t>(seen + 1),
                                 std::memory_order_relaxed)) {
    }
    return true;
  }

  // Forgets a sample that Add() noted.
  void Remove(std::uint64_t address) {
    Count* const leaf = LeafOf(address);
    if (leaf == nullptr) return;
    Count& count = leaf[Range(address)];
    std::uint8_t seen = count.load(std::memory_order_relaxed);
    while (seen != kStuck && seen != 0 &&
           !count.compare_exchange_weak(seen,
                                        static_cast<std::uint8_t>(seen - 1),
                                        std::memory_order_relaxed)) {
    }
  }

 private:
  using Count = std::atomic<std::uint8_t>;

  static constexpr std::uint8_t kStuck = 255;

  static constexpr std::size_t Range(std::uint64_t address) {
    return (address >> kRangeShift) & (kLeafRanges - 1);
  }

  // One comparison covers addresses out of reach and a filter not open yet.
  // Acquire: pairs with the release in Open() and AddLeaf().
  Count* LeafOf(std::uint64_t address) const {
    const std::uint64_t index = address >> kLeafShift;
    if (index >= entries_.load(std::memory_order_acquire)) [[unlikely]]
      return nullptr;
    return directory_[index].load(std::memory_order_acquire);
  }

  template <typename Env>
  [[gnu::noinline, gnu::cold]] Count* AddLeaf(Env& env, std::uint64_t address) {
    const std::uint64_t index = address >> kLeafShift;
    if (index >= entries_.load(std::memory_order_acquire)) return nullptr;
    void* const memory = env.MapPrivate(kLeafRanges * sizeof(Count));
    if (memory == nullptr) return nullptr;
    Count* leaf = nullptr;
    // Release: pairs with the acquire in LeafOf(), also on failure here.
    if (directory_[index].compare_exchange_strong(
            leaf, static_cast<Count*>(memory), std::memory_order_acq_rel)) {
      return static_cast<Count*>(memory);
    }
    env.Unmap(memory, kLeafRanges * sizeof(Count));
    return leaf;
  }

  std::atomic<Count*>* directory_ = nullptr;
  std::atomic<std::uint64_t> entries_{0};  // 0: not open
};

}  // namespace heapledger::preload
