// SPDX-License-Identifier: Apache-2.0
// The rules that do not fit a 16-bit code: large frames, realigned frames. A
// program has a few dozen; each is one 64-bit word in an open-addressed table
// that only grows, so an index stays valid for ever.
//
// Thread safety: lock-free, any thread, async-signal-safe. A slot goes from 0
// to its rule by one compare-exchange and never changes again.
//
// On failure: a full table, or a rule without a word, gets no index; the rule
// is then read from the CFI each time.
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/unwind/unwind_rule.h"

namespace heapledger::preload::unwind {

class RuleDictionary {
 public:
  using Slot = std::atomic<std::uint64_t>;
  static_assert(Slot::is_always_lock_free && sizeof(Slot) == 8);

  static constexpr std::uint32_t kNoIndex = ~0U;
  // Indices share the 15 bits of an uncommon code with the plain kinds.
  static constexpr std::uint32_t kMaxSlots = 4096;

  constexpr RuleDictionary() = default;

  // REQUIRES: zeroed slots, a power of two of them or none, at most kMaxSlots;
  // called before any other thread uses the dictionary.
  void Attach(Slot* slots, std::uint32_t slot_count) {
    slots_ = slots;
    mask_ = slot_count == 0 ? 0 : slot_count - 1;
  }

  // Returns the rule's index, or kNoIndex. REQUIRES: rule.HasCfa().
  [[nodiscard]] std::uint32_t FindOrInsert(const UnwindRule& rule) {
    const std::uint64_t word = RuleToWord(rule);
    if (slots_ == nullptr || word == 0) return kNoIndex;
    std::uint32_t index =
        static_cast<std::uint32_t>(word * 0x9e3779b97f4a7c15ULL >> 40) & mask_;
    for (std::uint32_t probe = 0; probe < kMaxProbes; ++probe) {
      // Relaxed: the word is the whole record.
      std::uint64_t found = slots_[index].load(std::memory_order_relaxed);
      if (found == 0 && slots_[index].compare_exchange_strong(
                            found, word, std::memory_order_relaxed)) {
        return index;
      }
      if (found == word) return index;
      index = (index + 1) & mask_;
    }
    return kNoIndex;
  }

  // REQUIRES: index came from FindOrInsert.
  [[nodiscard]] UnwindRule At(std::uint32_t index) const {
    return RuleFromWord(slots_[index & mask_].load(std::memory_order_relaxed));
  }

 private:
  static constexpr std::uint32_t kMaxProbes = 64;

  Slot* slots_ = nullptr;
  std::uint32_t mask_ = 0;
};

}  // namespace heapledger::preload::unwind
