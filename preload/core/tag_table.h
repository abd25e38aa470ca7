// SPDX-License-Identifier: Apache-2.0
// Tags by what they say: a name and labels become an id, once, which is all
// that scopes and callsites hold. Texts are taken as bytes; what they are worth
// is for the reader to find out.
//
// Thread safety: any thread and signal handlers, no locks. Two threads that
// make the same tag at once agree on one id; the other one stays unused.
//
// On failure: no room for another tag gives ledger::kOtherTag, and the reason
// is counted.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "heapledger/ledger/layout.h"
#include "preload/core/chunked_table.h"
#include "preload/unwind/stack_hash.h"

namespace heapledger::preload {

// What a program says of a tag. Texts are terminated or null.
struct TagText {
  struct Label {
    const char* key;
    const char* value;
  };
  const char* name;
  const Label* labels;
  std::size_t label_count;
};

class TagTable {
 public:
  // Like everything in Books it lies in zeroed memory on which no constructor
  // runs.
  void Open() { next_id_.store(ledger::kFirstTag, std::memory_order_relaxed); }

  // The id of a tag, made where it is new. No name: ledger::kNoTag.
  template <typename Env>
  std::uint32_t IdOf(LedgerFile<Env>& file, const TagText& text) {
    if (text.name == nullptr || text.name[0] == '\0') return ledger::kNoTag;
    // On the caller's stack, in the form in which it is stored.
    ledger::TagRecord wanted = {};
    if (!Fill(text, &wanted)) file.CountDegraded(ledger::Degraded::kTagCut);
    const std::uint64_t hash = HashOf(wanted);
    if (const std::uint32_t id = Find(wanted, hash)) return id;
    const std::uint32_t id = TakeId();
    ledger::TagRecord* const record =
        id == 0 ? nullptr : records_.Ensure(file, id);
    if (record == nullptr) {
      file.CountDegraded(ledger::Degraded::kTagsFull);
      return ledger::kOtherTag;
    }
    Copy(wanted, record);
    const std::uint32_t winner = Insert(wanted, hash, id);
    if (winner == id) record->published.store(1, std::memory_order_release);
    return winner;
  }

  // Takes over the tags of a forked process' parent under their ids, which the
  // program holds. What finds no room is a tag without a text.
  template <typename Env>
  void Inherit(LedgerFile<Env>& file, const TagTable& parent) {
    const std::uint32_t end = parent.end();
    for (std::uint32_t id = ledger::kFirstTag; id < end; ++id) {
      const ledger::TagRecord* const old = parent.records_.At(id);
      if (old == nullptr || old->published.load(std::memory_order_acquire) == 0)
        continue;
      ledger::TagRecord* const record = records_.Ensure(file, id);
      if (record == nullptr) break;
      Copy(*old, record);
      (void)Insert(*record, HashOf(*record), id);
      record->published.store(1, std::memory_order_release);
    }
    next_id_.store(end, std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint32_t end() const {
    return next_id_.load(std::memory_order_relaxed);
  }

 private:
  // Twice as many as there can be tags: a look never ends at a full table.
  static constexpr std::uint32_t kSlots = 2 * ledger::kMaxTags;

  // Copies a text into zeroed room; false where it had to be cut.
  template <std::size_t kRoom>
  static bool CopyText(const char* text, char (&room)[kRoom]) {
    if (text == nullptr) return true;
    std::size_t i = 0;
    for (; i < kRoom && text[i] != '\0'; ++i) room[i] = text[i];
    return i < kRoom || text[kRoom] == '\0';
  }

  static bool Fill(const TagText& text, ledger::TagRecord* record) {
    bool whole = CopyText(text.name, record->name);
    for (std::size_t i = 0; i < text.label_count; ++i) {
      const TagText::Label& label = text.labels[i];
      if (label.key == nullptr || label.key[0] == '\0') continue;
      if (record->label_count == ledger::kMaxTagLabels) return false;
      ledger::TagRecord::Label& room = record->labels[record->label_count++];
      whole = CopyText(label.key, room.key) && whole;
      whole = CopyText(label.value, room.value) && whole;
    }
    return whole;
  }

  // All of a record but for its first word.
  static constexpr std::size_t kTextWords =
      sizeof(ledger::TagRecord) / sizeof(std::uint64_t) - 1;

  static std::uint64_t Word(const ledger::TagRecord& record, std::size_t i) {
    std::uint64_t word;
    __builtin_memcpy(&word,
                     reinterpret_cast<const std::byte*>(&record) + 8 + i * 8,
                     sizeof word);
    return word;
  }

  static std::uint64_t HashOf(const ledger::TagRecord& record) {
    std::uint64_t hash = kEmptyStackHash;
    for (std::size_t i = 0; i < kTextWords; ++i) {
      hash = Mix(hash, Word(record, i));
    }
    return hash;
  }

  static bool Same(const ledger::TagRecord& a, const ledger::TagRecord& b) {
    for (std::size_t i = 0; i < kTextWords; ++i) {
      if (Word(a, i) != Word(b, i)) return false;
    }
    return true;
  }

  static void Copy(const ledger::TagRecord& from, ledger::TagRecord* to) {
    to->label_count = from.label_count;
    __builtin_memcpy(reinterpret_cast<std::byte*>(to) + 8,
                     reinterpret_cast<const std::byte*>(&from) + 8,
                     kTextWords * sizeof(std::uint64_t));
  }

  std::uint32_t TakeId() {
    const std::uint32_t id = next_id_.fetch_add(1, std::memory_order_relaxed);
    if (id < ledger::kMaxTags) return id;
    next_id_.store(ledger::kMaxTags, std::memory_order_relaxed);
    return 0;
  }

  // Whether a slot holds a tag with this text. Its record is whole: the slot
  // was set after it, by a release.
  bool Holds(std::uint32_t id, const ledger::TagRecord& wanted) const {
    const ledger::TagRecord* const record = records_.At(id);
    return record != nullptr && Same(*record, wanted);
  }

  std::uint32_t Find(const ledger::TagRecord& wanted,
                     std::uint64_t hash) const {
    for (std::uint32_t step = 0; step < kSlots; ++step) {
      const std::uint32_t id =
          slots_[(hash + step) % kSlots].load(std::memory_order_acquire);
      if (id == 0) return 0;
      if (Holds(id, wanted)) return id;
    }
    return 0;
  }

  // The id under which the text is found from now on: this one, or that of
  // whoever was faster.
  std::uint32_t Insert(const ledger::TagRecord& wanted, std::uint64_t hash,
                       std::uint32_t id) {
    for (std::uint32_t step = 0; step < kSlots; ++step) {
      std::uint32_t there = 0;
      if (slots_[(hash + step) % kSlots].compare_exchange_strong(
              there, id, std::memory_order_acq_rel)) {
        return id;
      }
      if (Holds(there, wanted)) return there;
    }
    return ledger::kOtherTag;
  }

  ChunkedTable<ledger::TagRecord,
               ledger::kMaxTags / ledger::kRecordsPerChunk<ledger::TagRecord>>
      records_;
  std::atomic<std::uint32_t> slots_[kSlots] = {};
  std::atomic<std::uint32_t> next_id_{0};
};

}  // namespace heapledger::preload
