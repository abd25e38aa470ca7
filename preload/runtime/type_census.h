// SPDX-License-Identifier: Apache-2.0
// Objects counted by type, and the types worth naming: those asked for by name,
// then the most numerous. One that was named last time counts double, so that
// series do not come and go with small changes.
//
// Types of one name are one. Memory is given; what does not fit is counted
// among all objects and has no type.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "heapledger/ledger/python_record.h"

namespace heapledger::preload {

struct CountedType {
  const char* name = nullptr;  // not terminated
  std::size_t name_bytes = 0;
  std::uint64_t hash = 0;  // of the name
  std::uint64_t objects = 0;
};

class TypeCensus {
 public:
  // A power of two because of the mask; programs with more classes are rare.
  static constexpr std::uint32_t kSlots = 1U << 15;
  static constexpr std::uint32_t kFullAt = kSlots / 4 * 3;
  static constexpr std::uint32_t kNamed = ledger::kPythonTypes;

  struct Slot {
    std::uint64_t type;  // 0: free
    std::uint64_t objects;
  };
  struct Tables {
    Slot by_type[kSlots];
    CountedType by_name[kSlots];
  };

  // `tables` is zeroed.
  constexpr explicit TypeCensus(Tables* tables) : tables_(tables) {}

  // REQUIRES: the tables are zero again.
  void Begin() {
    types_ = 0;
    objects_ = 0;
  }

  void Add(std::uint64_t type) {
    ++objects_;
    for (std::uint32_t at = Hash(type) % kSlots;; at = (at + 1) % kSlots) {
      Slot& slot = tables_->by_type[at];
      if (slot.type == type) {
        ++slot.objects;
        return;
      }
      if (slot.type != 0) continue;
      if (types_ == kFullAt) return;
      ++types_;
      slot = {type, 1};
      return;
    }
  }

  [[nodiscard]] std::uint64_t objects() const { return objects_; }

  // Chooses. `name_of(type)` gives a zero-terminated name that lives until the
  // next Begin(), or null. Fills `named`, most objects first, and returns how
  // many there are.
  template <typename NameOf>
  std::uint32_t Choose(NameOf&& name_of, CountedType (&named)[kNamed]) {
    for (const Slot& slot : tables_->by_type) {
      if (slot.type == 0) continue;
      if (const char* const name = name_of(slot.type)) AddName(name, slot);
    }
    std::uint32_t count = 0;
    for (const CountedType& type : tables_->by_name) {
      if (type.name != nullptr) Offer(type, named, &count);
    }
    SortByObjects(named, count);
    for (std::uint32_t i = 0; i < count; ++i) before_[i] = named[i].hash;
    before_count_ = count;
    return count;
  }

 private:
  // The types that a deployment may have relied on.
  static constexpr const char* kAlways[] = {"dict", "list",     "tuple", "set",
                                            "type", "function", "module"};

  static std::uint32_t Hash(std::uint64_t word) {
    // Types are aligned to 16 bytes; Fibonacci hashing spreads the rest.
    return static_cast<std::uint32_t>((word >> 4) * 0x9e3779b97f4a7c15ULL >>
                                      40);
  }

  // FNV-1a.
  static std::uint64_t HashOf(const char* name, std::size_t bytes) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (std::size_t i = 0; i < bytes; ++i) {
      hash = (hash ^ static_cast<std::uint8_t>(name[i])) * 0x100000001b3ULL;
    }
    return hash;
  }

  static bool Same(const CountedType& type, const char* text) {
    std::size_t i = 0;
    for (; i < type.name_bytes && text[i] != '\0'; ++i) {
      if (type.name[i] != text[i]) return false;
    }
    return i == type.name_bytes && text[i] == '\0';
  }

  // Types of C are named with their module: "collections.deque" is "deque".
  void AddName(const char* name, const Slot& slot) {
    std::size_t bytes = 0;
    for (const char* c = name; *c != '\0'; ++c) {
      ++bytes;
      if (*c == '.') {
        name = c + 1;
        bytes = 0;
      }
    }
    if (bytes == 0) return;
    const std::uint64_t hash = HashOf(name, bytes);
    for (auto at = static_cast<std::uint32_t>(hash % kSlots);;
         at = (at + 1) % kSlots) {
      CountedType& type = tables_->by_name[at];
      // Fewer names than types: there is always a free slot.
      if (type.name == nullptr) {
        type = {name, bytes, hash, slot.objects};
        return;
      }
      if (type.hash != hash || type.name_bytes != bytes) continue;
      type.objects += slot.objects;
      return;
    }
  }

  [[nodiscard]] std::uint64_t ScoreOf(const CountedType& type) const {
    for (const char* const name : kAlways) {
      if (Same(type, name)) return ~std::uint64_t{0};
    }
    for (std::uint32_t i = 0; i < before_count_; ++i) {
      if (before_[i] == type.hash) return 2 * type.objects;
    }
    return type.objects;
  }

  void Offer(const CountedType& type, CountedType (&named)[kNamed],
             std::uint32_t* count) {
    const std::uint64_t score = ScoreOf(type);
    if (*count < kNamed) {
      scores_[*count] = score;
      named[(*count)++] = type;
      return;
    }
    std::uint32_t least = 0;
    for (std::uint32_t i = 1; i < kNamed; ++i) {
      if (scores_[i] < scores_[least]) least = i;
    }
    if (scores_[least] >= score) return;
    scores_[least] = score;
    named[least] = type;
  }

  static void SortByObjects(CountedType (&named)[kNamed], std::uint32_t count) {
    for (std::uint32_t i = 1; i < count; ++i) {
      const CountedType type = named[i];
      std::uint32_t at = i;
      for (; at > 0 && named[at - 1].objects < type.objects; --at) {
        named[at] = named[at - 1];
      }
      named[at] = type;
    }
  }

  Tables* tables_;
  std::uint32_t types_ = 0;
  std::uint64_t objects_ = 0;
  std::uint64_t scores_[kNamed] = {};
  std::uint64_t before_[kNamed] = {};
  std::uint32_t before_count_ = 0;
};

}  // namespace heapledger::preload
