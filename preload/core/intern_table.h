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
// Growth: a full table is followed by one of twice the size; whoever fills it
// moves the entries, the others go on, looking in the newest and then in the
// older one. The older one is emptied (an empty slot just means "absent") but
// its addresses stay valid for a thread that still looks.
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
    const Level* const newest = newest_.load(std::memory_order_acquire);
    if (const std::uint32_t id = FindIn(newest, hash, matches)) return id;
    const Level* const older = older_.load(std::memory_order_acquire);
    if (older == nullptr || older == newest) return 0;
    return FindIn(older, hash, matches);
  }

  // Adds an entry; false when there was no room and none could be made.
  // REQUIRES: 0 < id <= kMaxId.
  template <MemoryEnv Env>
  bool Insert(Env& env, std::uint64_t hash, std::uint32_t id) {
    for (int attempt = 0; attempt < 3; ++attempt) {
      Level* const level = newest_.load(std::memory_order_acquire);
      const bool crowded = level->used.load(std::memory_order_relaxed) >
                           (level->mask + 1) / 2;
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

  struct Level {
    std::uint64_t mask;
    std::atomic<std::uint64_t> used;
    // On pages of their own, so that they can be discarded.
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
    constexpr std::size_t kHeadBytes = 4096;
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
          level->slots[at].compare_exchange_strong(
              empty, Entry(hash, id), std::memory_order_release,
              std::memory_order_relaxed)) {
        level->used.fetch_add(1, std::memory_order_relaxed);
        return true;
      }
      at = (at + 1) & level->mask;
    }
    return false;
  }

  // True when a larger level is in place afterwards, by whomever. `older_` is
  // the claim: one growth at a time.
  template <typename Env>
  bool Grow(Env& env, Level* full) {
    if (newest_.load(std::memory_order_acquire) != full) return true;
    Level* none = nullptr;
    if (!older_.compare_exchange_strong(none, full,
                                        std::memory_order_acq_rel)) {
      return newest_.load(std::memory_order_acquire) != full;
    }
    if (newest_.load(std::memory_order_acquire) != full) {
      older_.store(nullptr, std::memory_order_release);
      return true;
    }
    std::uint32_t log2_slots = 1;
    while ((std::uint64_t{1} << log2_slots) <= full->mask) ++log2_slots;
    Level* const larger = NewLevel(env, log2_slots + 1);
    if (larger == nullptr) {
      older_.store(nullptr, std::memory_order_release);
      return false;
    }
    newest_.store(larger, std::memory_order_release);
    Move(full, larger);
    older_.store(nullptr, std::memory_order_release);
    env.Discard(full->slots, SlotBytes(full->mask));
    return true;
  }

  static void Move(const Level* from, Level* to) {
    for (std::uint64_t at = 0; at <= from->mask; ++at) {
      const std::uint64_t entry =
          from->slots[at].load(std::memory_order_acquire);
      if (entry == 0) continue;
      (void)InsertIn(to, entry, static_cast<std::uint32_t>(entry & kMaxId));
    }
  }

  std::atomic<Level*> newest_{nullptr};
  std::atomic<Level*> older_{nullptr};
};

}  // namespace heapledger::preload
