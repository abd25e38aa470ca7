// SPDX-License-Identifier: Apache-2.0
// A thread's memo of whole stacks: the registers of the caller, the words that
// its walk depended on, and the id that the stack got. A hit costs one compare
// per word, with no rule, no hash and no table behind it.
//
// Soundness is that of incremental_walk.h: a hit has found the caller's state
// and every word of the walk unchanged. Only stacks that lie on the thread's
// own stack are kept and looked for: all words between rsp and the top of that
// are in use, and so readable in any order, whatever they hold by now.
//
// Many stacks have the same innermost frame, that of a wrapper around malloc.
// So the place of an entry also depends on the two callers behind it, as far as
// they can be told without a rule: hints say where, for this return address,
// the next one was found last time. A wrong hint costs a miss. Before that the
// entry is tried that the same pc and rsp had last.
//
// A stack is kept when it misses twice in a row in its place, so that stacks
// that change all the time cost a compare, not a copy.
//
// Ids are those of stacks under one tag, that which holds now; entries of
// others stay for when theirs does again. Only the shortest way to an entry,
// which asks for no tag, is forgotten when it changes.
//
// Lies in zeroed memory on which no constructor runs, one per thread.
//
// Thread safety: as for LastStack; an entry's pc is cleared while it changes.
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/unwind/last_stack.h"
#include "preload/unwind/registers.h"

namespace heapledger::preload::unwind {

class StackMemo {
 public:
  static constexpr std::uint32_t kEntries = 256;
  // Deeper stacks are not kept.
  static constexpr std::uint32_t kMaxWords = 60;

  // Where the thread's own stack is. Forgets everything.
  void SetBounds(const StackBounds& bounds) {
    low_ = bounds.low;
    words_span_ = bounds.high == 0 ? 0 : bounds.high - bounds.low - 7;
    Forget();
  }

  // The id of the caller's stack if it is the one that this call had last time;
  // else 0.
  [[gnu::always_inline]] std::uint32_t FindLast(const Registers& caller) const {
    const auto& entry = *reinterpret_cast<const Entry*>(
        reinterpret_cast<const char*>(entries_) + last_[LastOf(caller)]);
    // Bounds need no look: an entry at this rsp was within them.
    return entry.IsAt(caller) ? entry.IdOf(caller) : 0;
  }

  // The id of the caller's stack, or 0.
  std::uint32_t Find(const Registers& caller) {
    if (!IsOnStack(caller.rsp)) [[unlikely]]
      return 0;
    const std::uint32_t place = Place(caller);
    const Entry& entry = entries_[place];
    if (!entry.IsAt(caller) || entry.tag != tag_) return 0;
    const std::uint32_t id = entry.IdOf(caller);
    if (id != 0) {
      last_[LastOf(caller)] = static_cast<std::uint32_t>(place * sizeof(Entry));
    }
    return id;
  }

  // Offers the stack that was just walked from `caller` and got `id`.
  void Offer(const Registers& caller, const LastStack& stack,
             std::uint32_t id) {
    if (!IsOnStack(caller.rsp)) return;
    std::uint64_t at = caller.rsp;
    std::uint64_t pc = caller.pc;
    for (std::uint32_t level = 0;
         level < kHintLevels && stack.top > LastStack::kOutermost + level;
         ++level) {
      const FramePlace& next = stack.places[stack.top - 1 - level];
      TakeHint(hints_[level][HintOf(pc)], next.rsp - 8 - at);
      at = next.rsp - 8;
      pc = next.pc;
    }
    Entry& entry = entries_[Place(caller)];
    const auto candidate = static_cast<std::uint32_t>(caller.rsp) ^ id;
    if (entry.candidate != candidate) {
      entry.candidate = candidate;
      return;
    }
    Keep(entry, caller, stack, id);
  }

  // The tag that stacks are found and kept under.
  [[nodiscard]] std::uint32_t tag() const { return tag_; }

  void SwitchTo(std::uint32_t tag) {
    if (tag == tag_) return;
    for (std::uint32_t& last : last_) last = 0;
    // Last: whoever interrupts this and finds the old tag starts anew.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    tag_ = tag;
  }

  void Forget() {
    // Read first: a page without entries is not written.
    for (Entry& entry : entries_) {
      if (entry.pc != 0) entry.pc = 0;
    }
  }

 private:
  static constexpr std::uint32_t kHints = 256;
  static constexpr std::uint32_t kHintLevels = 3;

  // Four words, and where they lie, in words above rsp.
  struct Group {
    static constexpr std::uint32_t kWords = 4;

    std::uint64_t values[kWords];
    std::uint16_t offsets[kWords];

    // 0 where all hold their values.
    [[gnu::always_inline]] std::uint64_t Change(std::uint64_t from) const {
      return (LoadStackWord(from + std::uint64_t{offsets[0]} * 8) ^ values[0]) |
             (LoadStackWord(from + std::uint64_t{offsets[1]} * 8) ^ values[1]) |
             (LoadStackWord(from + std::uint64_t{offsets[2]} * 8) ^ values[2]) |
             (LoadStackWord(from + std::uint64_t{offsets[3]} * 8) ^ values[3]);
    }
  };
  static_assert(sizeof(Group) == 40);
  static constexpr std::uint32_t kGroups = kMaxWords / Group::kWords;

  struct alignas(64) Entry {
    std::uint64_t pc;  // 0: empty
    std::uint64_t rsp;
    std::uint64_t rbp;
    std::uint32_t candidate;
    std::uint32_t tag;
    std::uint32_t id;
    std::uint16_t group_bytes;  // at least one group
    std::uint16_t needs_rbp;
    Group groups[kGroups];  // the last word may be repeated

    [[nodiscard]] bool IsAt(const Registers& caller) const {
      return pc == caller.pc && rsp == caller.rsp;
    }

    // REQUIRES: IsAt(caller).
    [[gnu::always_inline]] std::uint32_t IdOf(const Registers& caller) const {
      if (needs_rbp != 0 && rbp != caller.rbp) [[unlikely]] {
        return 0;
      }
      const Group* group = groups;
      const auto* const end = reinterpret_cast<const Group*>(
          reinterpret_cast<const char*>(groups) + group_bytes);
      do {
        if (group->Change(caller.rsp) != 0) return 0;
      } while (++group != end);
      if (id == 0) __builtin_unreachable();
      return id;
    }
  };
  static_assert(sizeof(Entry) == 640);

  static std::uint8_t HintOf(std::uint64_t pc) {
    return static_cast<std::uint8_t>(pc ^ pc >> 8);
  }

  static std::uint8_t LastOf(const Registers& caller) {
    return static_cast<std::uint8_t>(caller.pc + (caller.rsp >> 4));
  }

  static void TakeHint(std::uint8_t& hint, std::uint64_t bytes) {
    const auto value =
        static_cast<std::uint8_t>(bytes < 256 * 8 ? bytes / 8 : 0);
    if (hint != value) hint = value;
  }

  // Whether a word at this address, if aligned, lies on the thread's own stack.
  [[nodiscard]] bool IsOnStack(std::uint64_t address) const {
    return address - low_ < words_span_;
  }

  [[nodiscard]] std::uint32_t Place(const Registers& caller) const {
    std::uint64_t key = caller.pc ^ caller.rsp << 20 ^ std::uint64_t{tag_} << 8;
    std::uint64_t at = caller.rsp;
    std::uint64_t pc = caller.pc;
    for (const auto& hints : hints_) {
      at += std::uint64_t{hints[HintOf(pc)]} * 8;
      pc = IsOnStack(at) ? LoadStackWord(at) : 0;
      key = (key ^ pc) * 0x9e3779b97f4a7c15ULL;
    }
    return static_cast<std::uint32_t>(key >> 56) + 1;
  }
  static_assert(kEntries == 256);

  [[gnu::noinline]] void Keep(Entry& entry, const Registers& caller,
                              const LastStack& stack, std::uint32_t id) const {
    const FrameFacts& innermost = stack.facts[stack.top];
    const std::uint32_t words =
        stack.top - stack.first_word + innermost.links.extras;
    if (stack.reusable == 0 || words == 0 || words > kMaxWords) return;
    entry.pc = 0;
    std::atomic_signal_fence(std::memory_order_release);
    std::uint32_t count = 0;
    const auto add = [&](std::uint64_t address, std::uint64_t value) {
      const std::uint64_t offset = (address - caller.rsp) / 8;
      Group& group = entry.groups[count / Group::kWords];
      group.offsets[count % Group::kWords] = static_cast<std::uint16_t>(offset);
      group.values[count % Group::kWords] = value;
      ++count;
      return offset <= 0xffff;
    };
    StackWord word{};
    for (std::uint32_t i = stack.top; i-- > stack.first_word;) {
      const FramePlace& place = stack.places[i];
      word = {place.rsp - 8, place.pc};
      if (!add(word.address, word.value)) return;
    }
    for (std::uint32_t i = 0; i < innermost.links.extras; ++i) {
      word = stack.extras[i];
      if (!add(word.address, word.value)) return;
    }
    while (count % Group::kWords != 0) (void)add(word.address, word.value);
    entry.rsp = caller.rsp;
    entry.rbp = caller.rbp;
    entry.id = id;
    entry.tag = tag_;
    entry.group_bytes =
        static_cast<std::uint16_t>(count / Group::kWords * sizeof(Group));
    entry.needs_rbp = innermost.links.needs_rbp;
    std::atomic_signal_fence(std::memory_order_release);
    entry.pc = caller.pc;
  }

  std::uint64_t low_;
  std::uint64_t words_span_;
  std::uint32_t tag_;
  std::uint8_t hints_[kHintLevels][kHints];
  // The entry that a caller's state had last, in bytes from the first, which
  // stays empty.
  std::uint32_t last_[256];
  Entry entries_[kEntries + 1];
};

}  // namespace heapledger::preload::unwind
