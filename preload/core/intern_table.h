// SPDX-License-Identifier: Apache-2.0
// Insert-only index from a 64-bit hash to a 32-bit id, in private memory. An
// entry is one 8-byte word: 40 bits of the hash and 24 of the id; the caller
// decides with a predicate whether the id found is really the one meant.
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
  static constexpr std::uint32_t kIdBits = 24;
  static constexpr std::uint32_t kMaxId = (1U << kIdBits) - 1;

  // Makes the first level of 2^`log2_slots` slots; false when refused.
  template <MemoryEnv Env>
  bool Open(Env& env, std::uint32_t log2_slots) {
    Level* const level = NewLevel(env, log2_slots);
    if (level == nullptr) return false;
    newest_.store(level, std::memory_order_release);
    return true;
  }

  // The id of the first entry with this hash that `matches(id)`, else 0.
  template <typename Matches>
  std::uint32_t Find(std::uint64_t hash, Matches&& matches) const {
    for (const Level* level = newest_.load(std::memory_order_acquire);
         level != nullptr;
         level = level->older.load(std::memory_order_acquire)) {
      if (const std::uint32_t id = FindIn(level, hash, matches)) return id;
    }
    return 0;
  }

  // Adds an entry; false when there was no room and none could be made.
  // REQUIRES: 0 < id <= kMaxId.
  template <MemoryEnv Env>
  bool Insert(Env& env, std::uint64_t hash, std::uint32_t id) {
    for (int attempt = 0; attempt < 3; ++attempt) {
      Level* const level = newest_.load(std::memory_order_acquire);
      const bool crowded = level->used.load(std::memory_order_relaxed) >
                           (level->mask + 1) / 4 * 3;
      if (!crowded && InsertIn(level, hash, id)) return true;
      // A nearly empty level that has no place here holds too many entries of
      // one hash: a larger one would not help.
      if (level->used.load(std::memory_order_relaxed) < level->mask / 8) {
        return false;
      }
      if (!Grow(env, level)) return InsertIn(level, hash, id);
    }
    return false;
  }

  // Forgets every entry (not the ids).
  template <MemoryEnv Env>
  void Clear(Env& env) {
    Level* const level = newest_.load(std::memory_order_acquire);
    env.Discard(level->slots, SlotBytes(level->mask));
    level->used.store(0, std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint32_t kProbeLimit = 128;
  // In front of the slots, which lie on pages of their own so that they can be
  // discarded.
  static constexpr std::size_t kHeadBytes = 4096;

  struct Level {
    std::uint64_t mask;
    std::atomic<std::uint64_t> used;
    std::atomic<Level*> older;  // null: none that still holds entries
    std::atomic<std::uint64_t>* slots;
  };

  static std::size_t SlotBytes(std::uint64_t mask) {
    return static_cast<std::size_t>(mask + 1) * sizeof(std::uint64_t);
  }
  // Where a probe begins: from the bits that an entry keeps, so that it can be
  // placed anew when the table grows.
  static std::uint64_t Home(std::uint64_t hash) { return hash >> kIdBits; }
  static std::uint64_t Entry(std::uint64_t hash, std::uint32_t id) {
    return (hash & ~std::uint64_t{kMaxId}) | id;
  }

  template <typename Env>
  static Level* NewLevel(Env& env, std::uint32_t log2_slots) {
    const std::uint64_t mask = (std::uint64_t{1} << log2_slots) - 1;
    void* const memory = env.MapPrivate(kHeadBytes + SlotBytes(mask));
    if (memory == nullptr) return nullptr;
    auto* const level = static_cast<Level*>(memory);
    level->mask = mask;
    level->slots = reinterpret_cast<std::atomic<std::uint64_t>*>(
        static_cast<std::byte*>(memory) + kHeadBytes);
    return level;
  }

  template <typename Matches>
  static std::uint32_t FindIn(const Level* level, std::uint64_t hash,
                              Matches& matches) {
    std::uint64_t at = Home(hash) & level->mask;
    for (std::uint32_t step = 0; step < kProbeLimit; ++step) {
      // Acquire: pairs with the release of the insert, so that the records
      // that `matches` reads are complete.
      const std::uint64_t entry =
          level->slots[at].load(std::memory_order_acquire);
      if (entry == 0) return 0;
      if (((entry ^ hash) >> kIdBits) == 0) {
        const auto id = static_cast<std::uint32_t>(entry & kMaxId);
        if (matches(id)) return id;
      }
      at = (at + 1) & level->mask;
    }
    return 0;
  }

  static bool InsertIn(Level* level, std::uint64_t hash, std::uint32_t id) {
    std::uint64_t at = Home(hash) & level->mask;
    for (std::uint32_t step = 0; step < kProbeLimit; ++step) {
      std::uint64_t empty = 0;
      if (level->slots[at].load(std::memory_order_relaxed) == 0 &&
          level->slots[at].compare_exchange_strong(empty, Entry(hash, id),
                                                   std::memory_order_release,
                                                   std::memory_order_relaxed)) {
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
      const std::uint64_t entry =
          from->slots[at].load(std::memory_order_acquire);
      if (entry == 0) continue;
      (void)InsertIn(newest_.load(std::memory_order_acquire), entry,
                     static_cast<std::uint32_t>(entry & kMaxId));
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
