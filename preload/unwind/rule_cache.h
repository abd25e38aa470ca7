// SPDX-License-Identifier: Apache-2.0
// pc → unwind rule, so that the CFI of a pc is read once. An entry is a single
// 64-bit word, 48 bits of pc and a 16-bit rule code, in a two-way table:
// density is what makes a walk fast, as most of its time goes into misses of
// this table.
//
// The table uses only a prefix of the memory that it is given and doubles it
// when half full, so that a small program touches few pages.
//
// Thread safety: lock-free, any thread, async-signal-safe. Entries are replaced
// whole; a reader sees one that was stored for its pc or none. Losing an entry
// to a race costs a parse, never a wrong rule.
//
// Invariants:
//  (1) An entry's rule is the one that the CFI gave for its pc. Whoever unloads
//      code must Clear() before other code can come to lie at its addresses. An
//      insertion that overlaps a Clear() takes itself back: it names the
//      generation in which its CFI was read.
//  (2) Nothing is counted here: hits and misses belong to the walk
//  (WalkResult),
//      so that no line is shared for the sake of statistics.
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/unwind/rule_dictionary.h"
#include "preload/unwind/unwind_rule.h"

namespace heapledger::preload::unwind {

class RuleCache {
 public:
  using Entry = std::atomic<std::uint64_t>;
  static_assert(Entry::is_always_lock_free && sizeof(Entry) == 8);

  static constexpr std::uint32_t kWays = 8;  // a cache line of entries
  // Entries in use at first: two pages, the stacks of a small program.
  static constexpr std::uint32_t kInitialEntries = 1024;

  // A cache without memory holds nothing and forgets what is inserted.
  constexpr RuleCache() = default;
  RuleCache(const RuleCache&) = delete;
  RuleCache& operator=(const RuleCache&) = delete;

  // REQUIRES: zeroed memory, the entries on a cache line; both counts powers of
  // two or zero, entry_count at least kWays if not zero, slot_count at most
  // RuleDictionary::kMaxSlots; called before any other thread uses the cache.
  void Attach(Entry* entries, std::uint32_t entry_count,
              RuleDictionary::Slot* slots, std::uint32_t slot_count) {
    entries_ = entries;
    entry_count_ = entry_count;
    dictionary_.Attach(slots, slot_count);
    const std::uint32_t used =
        entry_count < kInitialEntries ? entry_count : kInitialEntries;
    mask_.store(used == 0 ? 0 : used - 1, std::memory_order_relaxed);
  }

  // Looks pcs up in the table as it was when the reader was made; after a
  // growth an old one finds less, never anything else. Kept by a loop in
  // registers.
  class Reader {
   public:
    // Returns the code of the pc's rule, or kNoRuleCode. REQUIRES: pc below
    // 2^48.
    [[nodiscard]] RuleCode Find(std::uint64_t pc) const {
      if (entries_ == nullptr) [[unlikely]] {
        return kNoRuleCode;
      }
      const std::uint32_t index = Hash(pc) & mask_;
#pragma GCC unroll 8
      for (std::uint32_t way = 0; way < kWays; ++way) {
        // Acquire: pairs with the release in Place(); the word is the whole
        // record, but for the dictionary's slot that its code may name.
        const std::uint64_t entry =
            entries_[index ^ way].load(std::memory_order_acquire);
        if (entry >> kCodeBits == pc) return static_cast<RuleCode>(entry);
      }
      return kNoRuleCode;
    }

   private:
    friend class RuleCache;
    Reader(const Entry* entries, std::uint32_t mask)
        : entries_(entries), mask_(mask) {}
    const Entry* entries_;
    std::uint32_t mask_;
  };

  [[nodiscard]] Reader reader() const {
    // Relaxed: a stale mask looks in the wrong place and misses, no more.
    return {entries_, mask_.load(std::memory_order_relaxed)};
  }

  [[nodiscard]] RuleCode Find(std::uint64_t pc) const {
    return reader().Find(pc);
  }

  // REQUIRES: code came from Find() and is not kNoRuleCode.
  [[nodiscard]] UnwindRule RuleOf(RuleCode code) const {
    if ((code & kUncommonBit) != 0) {
      const std::uint32_t index = code & ~kUncommonBit;
      if (index >= kFirstDictionaryIndex) {
        return dictionary_.At(index - kFirstDictionaryIndex);
      }
    }
    return DecodeRule(code);
  }

  // To be taken before the CFI of a pc is read, for Insert().
  [[nodiscard]] std::uint32_t generation() const {
    return generation_.load(std::memory_order_acquire);
  }

  // REQUIRES: pc below 2^48.
  void Insert(std::uint64_t pc, const UnwindRule& rule,
              std::uint32_t generation) {
    if (entries_ == nullptr || entry_count_ == 0) return;
    RuleCode code = EncodeRule(rule);
    if (code == kNoRuleCode) {
      if (!rule.HasCfa()) return;
      const std::uint32_t index = dictionary_.FindOrInsert(rule);
      if (index == RuleDictionary::kNoIndex) return;
      code =
          static_cast<RuleCode>(kUncommonBit | (index + kFirstDictionaryIndex));
    }
    Place(Hash(pc), pc << kCodeBits | code, generation);
  }

  // Forgets every pc. The dictionary stays: its rules name no address.
  void Clear() {
    if (entries_ == nullptr) return;
    // Sequentially consistent, with Place() and Grow(): who stores an entry
    // either sees the new generation afterwards and takes it back, or has
    // stored it, where this mask reaches, before the loop gets there.
    generation_.fetch_add(1, std::memory_order_seq_cst);
    const std::uint32_t mask = mask_.load(std::memory_order_seq_cst);
    for (std::uint32_t i = 0; i <= mask; ++i) {
      // Read first: a page without entries is not written.
      if (entries_[i].load(std::memory_order_seq_cst) != 0) {
        entries_[i].store(0, std::memory_order_relaxed);
      }
    }
    occupied_.store(0, std::memory_order_relaxed);
  }

  // Entries in use, for tests and reports.
  [[nodiscard]] std::uint32_t used_entries() const {
    return entry_count_ == 0 ? 0 : mask_.load(std::memory_order_relaxed) + 1;
  }

 private:
  static constexpr int kCodeBits = 16;

  // Return addresses spread well by themselves over the bytes of a page; the
  // shift brings in the page. A multiplication spreads no better and lies on
  // the critical path of every step.
  static constexpr std::uint32_t Hash(std::uint64_t pc) {
    return static_cast<std::uint32_t>(pc ^ pc >> 13);
  }

  void Place(std::uint32_t hash, std::uint64_t entry,
             std::uint32_t generation) {
    const std::uint32_t mask = mask_.load(std::memory_order_seq_cst);
    Entry& place = ChoosePlace(hash & mask, entry);
    // As a release it pairs with the acquire in Find(), for the dictionary's
    // slot; sequentially consistent, like the load after it, for Clear().
    const std::uint64_t displaced =
        place.exchange(entry, std::memory_order_seq_cst);
    if (generation_.load(std::memory_order_seq_cst) != generation) {
      Retract(place, entry);
      return;
    }
    // Relaxed: only a hint of when to grow.
    if (displaced == 0 &&
        occupied_.fetch_add(1, std::memory_order_relaxed) >= mask / 2) {
      Grow(mask, generation);
    }
  }

  // The first way that is free or holds the same pc, else one picked by bits of
  // the pc that did not choose the set. Two threads may choose the same one.
  Entry& ChoosePlace(std::uint32_t index, std::uint64_t entry) {
    for (std::uint32_t way = 0; way < kWays; ++way) {
      Entry& place = entries_[index ^ way];
      const std::uint64_t found = place.load(std::memory_order_relaxed);
      if (found == 0 || found >> kCodeBits == entry >> kCodeBits) return place;
    }
    return entries_[index ^ (entry >> (kCodeBits + 3) & (kWays - 1))];
  }

  // Takes back an entry, if it is still there.
  static void Retract(Entry& at, std::uint64_t entry) {
    at.compare_exchange_strong(entry, 0, std::memory_order_relaxed);
  }

  // Doubles the prefix in use and moves what now belongs to the upper half.
  [[gnu::noinline]] void Grow(std::uint32_t mask, std::uint32_t generation) {
    const std::uint32_t used = mask + 1;
    if (used >= entry_count_) return;
    if (!mask_.compare_exchange_strong(mask, mask << 1 | 1,
                                       std::memory_order_seq_cst)) {
      return;  // another thread grows it
    }
    for (std::uint32_t i = 0; i < used; ++i) {
      std::uint64_t entry = entries_[i].load(std::memory_order_acquire);
      if (entry == 0 || (Hash(entry >> kCodeBits) & used) == 0) continue;
      entries_[i + used].store(entry, std::memory_order_seq_cst);
      Retract(entries_[i], entry);
      if (generation_.load(std::memory_order_seq_cst) != generation) {
        Retract(entries_[i + used], entry);
        return;
      }
    }
  }

  Entry* entries_ = nullptr;
  std::uint32_t entry_count_ = 0;
  RuleDictionary dictionary_;
  std::atomic<std::uint32_t> mask_{0};
  // On a line of their own: written on misses, the rest is read on every walk.
  alignas(64) std::atomic<std::uint32_t> occupied_{0};
  std::atomic<std::uint32_t> generation_{0};
};

}  // namespace heapledger::preload::unwind
