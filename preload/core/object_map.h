// SPDX-License-Identifier: Apache-2.0
// Address -> (callsite, requested size) of every live block: private memory
// beside the heap, 4 bytes per 32-byte granule of touched heap.
//
//   directory[address >> 24] -> leaf[(address >> 5) & mask] -> slot
//
// What a slot says is in heapledger/ledger/object_slot.h. Slots that a block
// takes beyond its own are free for it: such a block is at least 254 bytes long
// and so covers the granules behind its first.
//
// REQUIRES: blocks start at least 32 bytes apart. glibc's smallest chunk is 32
// bytes; over other allocators the interposer asks for 32 bytes at least.
//
// Copies are handles of one map.
//
// Thread safety: any thread. A slot is written only by whoever holds the block:
// the allocating call before it returns it, the freeing call before it gives it
// back. So plain (relaxed) accesses do; no two threads have one slot at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "heapledger/ledger/abi.h"
#include "heapledger/ledger/object_slot.h"
#include "preload/core/env.h"

namespace heapledger::preload {

// What the map knows of a block. callsite 0: no such block.
struct BlockRecord {
  std::uint32_t callsite = ledger::kNoCallsite;
  std::uint64_t bytes = 0;
};

class ObjectMap {
 public:
  static constexpr std::uint32_t kGranuleShift = 5;
  static constexpr std::uint32_t kLeafShift = 24;
  static constexpr std::uint32_t kAddressBits = 47;
  static constexpr std::size_t kDirectoryEntries =
      std::size_t{1} << (kAddressBits - kLeafShift);
  static constexpr std::size_t kLeafSlots = std::size_t{1}
                                            << (kLeafShift - kGranuleShift);
  // The slots behind the last granule's take the size of a block that starts
  // there: a block's slots all lie in the leaf of its first byte.
  static constexpr std::size_t kLeafBytes =
      (kLeafSlots + 2) * sizeof(std::uint32_t);
  static constexpr std::size_t kMaxLeaves = std::size_t{1} << 16;

  template <MemoryEnv Env>
  bool Open(Env& env) {
    directory_ = static_cast<std::atomic<Slot*>*>(
        env.MapPrivate(kDirectoryEntries * sizeof(std::atomic<Slot*>)));
    leaf_list_ = static_cast<std::atomic<std::uint32_t>*>(
        env.MapPrivate(kMaxLeaves * sizeof(std::atomic<std::uint32_t>)));
    return directory_ != nullptr && leaf_list_ != nullptr;
  }

  using Slot = std::atomic<std::uint32_t>;

  // The slot of the block that starts at an address, or null where no leaf is.
  Slot* Find(std::uint64_t address) const {
    Slot* const leaf = Leaf(address);
    return leaf == nullptr ? nullptr : leaf + Granule(address);
  }

  // Find(), adding the leaf where it is missing; null when the block cannot be
  // tracked.
  template <MemoryEnv Env>
  Slot* Cover(Env& env, std::uint64_t address) {
    if (Slot* const slot = Find(address)) [[likely]]
      return slot;
    return AddLeaf(env, address) ? Find(address) : nullptr;
  }

  // Whether a block needs one slot only.
  static constexpr bool IsSmall(std::uint64_t bytes) {
    return bytes < kTwoSlots;
  }

  // How many slots a block takes.
  static constexpr std::uint32_t SlotsOf(std::uint64_t bytes) {
    if (IsSmall(bytes)) return 1;
    return bytes > 0xffffffffULL ? 3 : 2;
  }

  // Whether the word in the slot of an address is a block's, and not the size
  // of one that starts before it. REQUIRES: Find() gives the slot, not empty.
  bool IsStart(std::uint64_t address) const {
    const std::size_t granule = Granule(address);
    const Slot* const slot = Leaf(address) + granule;
    const auto code = [slot](std::ptrdiff_t back) {
      return slot[-back].load(std::memory_order_relaxed) >>
             ledger::kCallsiteBits;
    };
    return !(granule >= 1 && code(1) >= kTwoSlots) &&
           !(granule >= 2 && code(2) == kTwoSlots);
  }

  // Records a block in its slot. REQUIRES: the slot is empty; 0 < callsite <
  // kMaxCallsites; for the first, IsSmall(bytes).
  static void PutSmall(Slot* slot, std::uint64_t bytes,
                       std::uint32_t callsite) {
    slot->store(Pack(static_cast<std::uint32_t>(bytes), callsite),
                std::memory_order_relaxed);
  }
  static void Put(Slot* slot, std::uint64_t bytes, std::uint32_t callsite) {
    if (IsSmall(bytes)) [[likely]] {
      PutSmall(slot, bytes, callsite);
    } else {
      PutLarge(slot, bytes, callsite);
    }
  }

  // What a slot says: whether it is of a small block, and of which.
  static constexpr bool IsSmallBlock(std::uint32_t word) {
    return word - 1 < (kTwoSlots << ledger::kCallsiteBits) - 1;
  }
  static constexpr BlockRecord ReadSmall(std::uint32_t word) {
    return {word & kCallsiteMask, word >> ledger::kCallsiteBits};
  }

  // Empties a slot and returns the block that was in it.
  static BlockRecord Take(Slot* slot) {
    const std::uint32_t word = slot->load(std::memory_order_relaxed);
    const std::uint32_t code = word >> ledger::kCallsiteBits;
    if (code >= kTwoSlots) [[unlikely]] {
      return TakeLarge(slot);
    }
    if (word != 0) [[likely]] {
      slot->store(0, std::memory_order_relaxed);
    }
    return {word & kCallsiteMask, code};
  }

  // Removes and returns the block that starts at `address`.
  BlockRecord Remove(std::uint64_t address) {
    Slot* const slot = Find(address);
    if (slot == nullptr) [[unlikely]]
      return {};
    return Take(slot);
  }

  // Gives the block that starts in the granule of `address` another callsite.
  // REQUIRES: there is one.
  void Reassign(std::uint64_t address, std::uint32_t callsite) {
    Slot* const slot = Leaf(address) + Granule(address);
    slot->store(
        (slot->load(std::memory_order_relaxed) & ~kCallsiteMask) | callsite,
        std::memory_order_relaxed);
  }

  // Calls `visit(address, record)` for every block, with the address rounded
  // down to its granule. Exact only while no other
  // thread runs (a forked child, a stopped process).
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    const std::uint32_t leaves = leaf_list_[0].load(std::memory_order_acquire);
    for (std::uint32_t i = 1; i <= leaves && i < kMaxLeaves; ++i) {
      const std::uint64_t index = leaf_list_[i].load(std::memory_order_acquire);
      const Slot* const leaf =
          directory_[index].load(std::memory_order_acquire);
      if (leaf == nullptr) continue;
      VisitLeaf(leaf, index << kLeafShift, visit);
    }
  }

  // Reads a slot without clearing it.
  static BlockRecord Read(const Slot* slot) {
    const std::uint32_t word = slot->load(std::memory_order_relaxed);
    const std::uint32_t code = word >> ledger::kCallsiteBits;
    BlockRecord record{word & kCallsiteMask, code};
    if (code >= kTwoSlots) {
      record.bytes = slot[1].load(std::memory_order_relaxed);
      if (code == kTwoSlots) {
        record.bytes |= std::uint64_t{slot[2].load(std::memory_order_relaxed)}
                        << 32;
      }
    }
    return record;
  }

  // How many leaves there are; false where ForEach() does not see all of them.
  bool CountLeaves(std::uint32_t* leaves) const {
    *leaves = leaf_list_[0].load(std::memory_order_acquire);
    return *leaves < kMaxLeaves;
  }

  std::uint64_t directory_address() const {
    return reinterpret_cast<std::uint64_t>(directory_);
  }

 private:
  static constexpr std::uint32_t kOneSlot = ledger::kSizeInOneSlot;
  static constexpr std::uint32_t kTwoSlots = ledger::kSizeInTwoSlots;
  static constexpr std::uint32_t kCallsiteMask =
      (1U << ledger::kCallsiteBits) - 1;

  static constexpr std::uint32_t Pack(std::uint32_t code,
                                      std::uint32_t callsite) {
    return (code << ledger::kCallsiteBits) | callsite;
  }
  static constexpr std::size_t Granule(std::uint64_t address) {
    return (address >> kGranuleShift) & (kLeafSlots - 1);
  }

  Slot* Leaf(std::uint64_t address) const {
    const std::uint64_t index = address >> kLeafShift;
    if (index >= kDirectoryEntries) [[unlikely]]
      return nullptr;
    return directory_[index].load(std::memory_order_acquire);
  }

  [[gnu::noinline]] static void PutLarge(Slot* slot, std::uint64_t bytes,
                                         std::uint32_t callsite) {
    const bool wide = bytes > 0xffffffffULL;
    slot[1].store(static_cast<std::uint32_t>(bytes), std::memory_order_relaxed);
    if (wide) {
      slot[2].store(static_cast<std::uint32_t>(bytes >> 32),
                    std::memory_order_relaxed);
    }
    slot->store(Pack(wide ? kTwoSlots : kOneSlot, callsite),
                std::memory_order_relaxed);
  }

  [[gnu::noinline]] static BlockRecord TakeLarge(Slot* slot) {
    const BlockRecord record = Read(slot);
    slot[1].store(0, std::memory_order_relaxed);
    if (record.bytes > 0xffffffffULL) {
      slot[2].store(0, std::memory_order_relaxed);
    }
    slot->store(0, std::memory_order_relaxed);
    return record;
  }

  template <typename Env>
  [[gnu::noinline, gnu::cold]] bool AddLeaf(Env& env, std::uint64_t address) {
    const std::uint64_t index = address >> kLeafShift;
    if (index >= kDirectoryEntries) return false;
    void* const memory = env.MapPrivate(kLeafBytes);
    if (memory == nullptr) return false;
    Slot* none = nullptr;
    if (!directory_[index].compare_exchange_strong(
            none, static_cast<Slot*>(memory), std::memory_order_acq_rel)) {
      env.Unmap(memory, kLeafBytes);
      return true;
    }
    const std::uint32_t at =
        leaf_list_[0].fetch_add(1, std::memory_order_acq_rel) + 1;
    if (at < kMaxLeaves) {
      leaf_list_[at].store(static_cast<std::uint32_t>(index),
                           std::memory_order_release);
    }
    return true;
  }

  template <typename Visit>
  static void VisitLeaf(const Slot* leaf, std::uint64_t base, Visit& visit) {
    for (std::size_t granule = 0; granule < kLeafSlots; ++granule) {
      const std::uint32_t word = leaf[granule].load(std::memory_order_relaxed);
      if (word == 0) continue;
      visit(base + (std::uint64_t{granule} << kGranuleShift),
            Read(leaf + granule));
      const std::uint32_t code = word >> ledger::kCallsiteBits;
      if (code == kOneSlot) granule += 1;
      if (code == kTwoSlots) granule += 2;
    }
  }

  std::atomic<Slot*>* directory_ = nullptr;
  // Which leaves there are: their number, then their indexes.
  std::atomic<std::uint32_t>* leaf_list_ = nullptr;
};

}  // namespace heapledger::preload
