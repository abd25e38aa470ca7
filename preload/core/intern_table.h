// SPDX-License-Identifier: Apache-2.0
// Insert-only index from a 64-bit key to a 32-bit id, in private memory. An
// entry holds the whole key, so that a look-up needs no other memory, and next
// to the id the generation of modules at which it was last known to be right:
// in another generation it is asked about first (`is_current`). Two entries of
// one key are two things that were at the same addresses one after the other.
//
// Thread safety: any thread and signal handlers, no locks. What is given up for
// that: two threads may insert the same key under two ids, and an insert that
// races with growth may be forgotten. Both only cost a second id for a stack,
// which readers merge.
//
// Growth: a crowded level is followed by one of twice the size; whoever put it
// there moves the entries, the others go on at once, looking in the newest
// level and then in older ones. A level that was moved is emptied (an empty
// slot just means "absent") but its addresses stay valid for a thread that
// still looks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "preload/core/env.h"

namespace heapledger::preload {

class InternTable {
 public:
  // Makes the first level of 2^`log2_slots` slots; false when refused.
  template <MemoryEnv Env>
  bool Open(Env& env, std::uint32_t log2_slots) {
    Level* const level = NewLevel(env, log2_slots);
    if (level == nullptr) return false;
    newest_.store(level, std::memory_order_release);
    return true;
  }

  // The id of the first entry of `key` that is right in this generation, or
  // that `is_current(id)`; else 0. Nothing is ever found under key 0.
  template <typename IsCurrent>
  std::uint32_t Find(std::uint64_t key, std::uint32_t generation,
                     IsCurrent&& is_current) const {
    for (const Level* level = newest_.load(std::memory_order_acquire);
         level != nullptr;
         level = level->older.load(std::memory_order_acquire)) {
      if (const std::uint32_t id = FindIn(level, key, generation, is_current)) {
        return id;
      }
    }
    return 0;
  }

  // Adds an entry; false when there was no room and none could be made.
  // REQUIRES: id != 0.
  template <MemoryEnv Env>
  bool Insert(Env& env, std::uint64_t key, std::uint32_t generation,
              std::uint32_t id) {
    if (key == 0) return false;
    const std::uint64_t value = Value(generation, id);
    for (int attempt = 0; attempt < 3; ++attempt) {
      Level* const level = newest_.load(std::memory_order_acquire);
      const bool crowded = level->used.load(std::memory_order_relaxed) >
                           (level->mask + 1) / 4 * 3;
      if (!crowded && InsertIn(level, key, value)) return true;
      // A nearly empty level that has no place here holds too many entries of
      // one key: a larger one would not help.
      if (level->used.load(std::memory_order_relaxed) < level->mask / 8) {
        return false;
      }
      if (!Grow(env, level)) return InsertIn(level, key, value);
    }
    return false;
  }

 private:
  static constexpr std::uint32_t kProbeLimit = 128;
  // In front of the slots, which lie on pages of their own so that they can be
  // discarded.
  static constexpr std::size_t kHeadBytes = 4096;

  // Claimed by its key; absent until its value is there too.
  struct Slot {
    std::atomic<std::uint64_t> key;
    std::atomic<std::uint64_t> value;  // generation above, id below
  };

  struct Level {
    std::uint64_t mask;
    std::atomic<std::uint64_t> used;
    std::atomic<Level*> older;  // null: none that still holds entries
    Slot* slots;
  };

  static std::size_t SlotBytes(std::uint64_t mask) {
    return static_cast<std::size_t>(mask + 1) * sizeof(Slot);
  }
  // Keys may be addresses: their low bits alone do not spread.
  static std::uint64_t Home(std::uint64_t key) {
    return key * 0x9e3779b97f4a7c15ULL >> 24;
  }
  static std::uint64_t Value(std::uint32_t generation, std::uint32_t id) {
    return std::uint64_t{generation} << 32 | id;
  }

  template <typename Env>
  static Level* NewLevel(Env& env, std::uint32_t log2_slots) {
    const std::uint64_t mask = (std::uint64_t{1} << log2_slots) - 1;
    void* const memory = env.MapPrivate(kHeadBytes + SlotBytes(mask));
    if (memory == nullptr) return nullptr;
    auto* const level = static_cast<Level*>(memory);
    level->mask = mask;
    level->slots =
        reinterpret_cast<Slot*>(static_cast<std::byte*>(memory) + kHeadBytes);
    return level;
  }

  template <typename IsCurrent>
  static std::uint32_t FindIn(const Level* level, std::uint64_t key,
                              std::uint32_t generation, IsCurrent& is_current) {
    std::uint64_t at = Home(key) & level->mask;
    for (std::uint32_t step = 0; step < kProbeLimit; ++step) {
      Slot& slot = level->slots[at];
      const std::uint64_t here = slot.key.load(std::memory_order_relaxed);
      if (here == 0) return 0;
      if (here == key) {
        // Acquire: pairs with the release of the insert, so that the records
        // of the id are complete.
        std::uint64_t value = slot.value.load(std::memory_order_acquire);
        const auto id = static_cast<std::uint32_t>(value);
        // Once more: a late insert may have put another entry here since, if
        // this level was just emptied.
        const bool whole =
            id != 0 && slot.key.load(std::memory_order_relaxed) == key;
        if (whole && value >> 32 == generation) [[likely]]
          return id;
        if (whole && is_current(id)) {
          (void)slot.value.compare_exchange_strong(value, Value(generation, id),
                                                   std::memory_order_release,
                                                   std::memory_order_relaxed);
          return id;
        }
      }
      at = (at + 1) & level->mask;
    }
    return 0;
  }

  static bool InsertIn(Level* level, std::uint64_t key, std::uint64_t value) {
    std::uint64_t at = Home(key) & level->mask;
    for (std::uint32_t step = 0; step < kProbeLimit; ++step) {
      Slot& slot = level->slots[at];
      std::uint64_t empty = 0;
      if (slot.key.load(std::memory_order_relaxed) == 0 &&
          slot.key.compare_exchange_strong(empty, key,
                                           std::memory_order_relaxed)) {
        slot.value.store(value, std::memory_order_release);
        level->used.fetch_add(1, std::memory_order_relaxed);
        return true;
      }
      at = (at + 1) & level->mask;
    }
    return false;
  }

  // True when another level than `full` is the newest afterwards, by whomever.
  template <typename Env>
  bool Grow(Env& env, Level* full) {
    if (newest_.load(std::memory_order_acquire) != full) return true;
    std::uint32_t log2_slots = 1;
    while ((std::uint64_t{1} << log2_slots) <= full->mask) ++log2_slots;
    Level* const larger = NewLevel(env, log2_slots + 1);
    if (larger == nullptr) return false;
    larger->older.store(full, std::memory_order_relaxed);
    Level* expected = full;
    if (!newest_.compare_exchange_strong(expected, larger,
                                         std::memory_order_acq_rel)) {
      env.Unmap(larger, kHeadBytes + SlotBytes(larger->mask));
      return true;
    }
    MoveToNewest(full);
    Unlink(full);
    env.Discard(full->slots, SlotBytes(full->mask));
    return true;
  }

  // To the newest at each moment: it may be followed, moved and emptied by
  // others meanwhile.
  void MoveToNewest(const Level* from) {
    for (std::uint64_t at = 0; at <= from->mask; ++at) {
      const Slot& slot = from->slots[at];
      const std::uint64_t value = slot.value.load(std::memory_order_acquire);
      if (value == 0) continue;
      (void)InsertIn(newest_.load(std::memory_order_acquire),
                     slot.key.load(std::memory_order_relaxed), value);
    }
  }

  // Takes a moved level out of the chain. Where two neighbours leave at once,
  // one may stay linked: an empty level, which costs a look.
  void Unlink(Level* moved) {
    Level* level = newest_.load(std::memory_order_acquire);
    while (level != nullptr) {
      Level* const older = level->older.load(std::memory_order_acquire);
      if (older == moved) {
        level->older.store(moved->older.load(std::memory_order_acquire),
                           std::memory_order_release);
        return;
      }
      level = older;
    }
  }

  std::atomic<Level*> newest_{nullptr};
};

}  // namespace heapledger::preload
