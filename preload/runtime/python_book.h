// SPDX-License-Identifier: Apache-2.0
// Writes a PythonRecord, part by part, so that a reader never takes half of
// one for the whole.
//
// Thread safety: one writer at a time; the interpreter's lock sees to that.
#pragma once

#include <cstddef>
#include <cstdint>

#include "heapledger/ledger/python_record.h"
#include "preload/runtime/malloc_stats.h"
#include "preload/runtime/type_census.h"

namespace heapledger::preload {

// What gc.get_stats(), get_count() and get_threshold() say of a generation.
struct GenerationFigures {
  std::uint64_t collections = 0;
  std::uint64_t collected = 0;
  std::uint64_t uncollectable = 0;
  std::uint64_t counter = 0;
  std::uint64_t threshold = 0;
};

class PythonBook {
 public:
  explicit PythonBook(ledger::PythonRecord* record) : record_(*record) {}

  [[nodiscard]] ledger::PythonRecord& record() { return record_; }

  void SetState(ledger::HelperState state, ledger::PythonReason reason) {
    record_.reason.store(static_cast<std::uint32_t>(reason),
                         std::memory_order_relaxed);
    // Release: pairs with the reader's acquire, so that an installed helper
    // has its version and first figures.
    record_.state.store(static_cast<std::uint32_t>(state),
                        std::memory_order_release);
  }

  // A collection that just ended.
  void AddCollection(std::uint32_t generation, std::uint64_t collected,
                     std::uint64_t uncollectable, std::uint64_t duration_ns) {
    if (generation >= ledger::kPythonGenerations) return;
    const Writing writing(record_.collections_round);
    ledger::PythonGeneration& figures = record_.generations[generation];
    Add(figures.collections, 1);
    Add(figures.collected, collected);
    Add(figures.uncollectable, uncollectable);
    Add(figures.duration_ns, duration_ns);
    Add(figures.durations[BucketOf(duration_ns)], 1);
  }

  // The interpreter's own figures, which win over what was added up.
  void SetGenerations(
      const GenerationFigures (&generations)[ledger::kPythonGenerations]) {
    const Writing writing(record_.collections_round);
    for (std::uint32_t i = 0; i < ledger::kPythonGenerations; ++i) {
      ledger::PythonGeneration& figures = record_.generations[i];
      Set(figures.collections, generations[i].collections);
      Set(figures.collected, generations[i].collected);
      Set(figures.uncollectable, generations[i].uncollectable);
      Set(figures.counter, generations[i].counter);
      Set(figures.threshold, generations[i].threshold);
    }
  }

  void SetHeap(const MallocStats& stats, std::uint64_t blocks,
               std::uint64_t realtime_ns) {
    const Writing writing(record_.heap_round);
    Set(record_.heap_realtime_ns, realtime_ns);
    Set(record_.arenas, stats.arenas);
    Set(record_.arena_bytes, stats.arena_bytes);
    Set(record_.block_bytes, stats.block_bytes);
    Set(record_.blocks, blocks);
    for (std::uint32_t i = 0; i < ledger::kPythonSizeClasses; ++i) {
      Set(record_.size_class_blocks[i], stats.blocks[i]);
    }
  }

  void SetTypes(const CountedType (&types)[ledger::kPythonTypes],
                std::uint32_t count, std::uint64_t tracked,
                std::uint64_t duration_ns, std::uint64_t realtime_ns) {
    const Writing writing(record_.types_round);
    Set(record_.types_realtime_ns, realtime_ns);
    Set(record_.types_duration_ns, duration_ns);
    Set(record_.tracked_objects, tracked);
    Set(record_.type_count, count);
    for (std::uint32_t i = 0; i < count; ++i) {
      ledger::PythonType& type = record_.types[i];
      Set(type.objects, types[i].objects);
      for (std::size_t word = 0; word < kNameWords; ++word) {
        Set(type.name[word], WordOf(types[i], word));
      }
    }
  }

  static std::uint32_t BucketOf(std::uint64_t duration_ns) {
    std::uint32_t at = 0;
    while (at + 1 < ledger::kPythonDurations &&
           duration_ns > ledger::kPythonDurationBoundsNs[at]) {
      ++at;
    }
    return at;
  }

 private:
  static constexpr std::size_t kNameWords = ledger::kPythonTypeNameBytes / 8;

  // Makes a round odd as long as it lives.
  class Writing {
   public:
    explicit Writing(ledger::AtomicU32& round) : round_(round) {
      round_.store(round_.load(std::memory_order_relaxed) + 1,
                   std::memory_order_relaxed);
      // Pairs with the reader's acquire between its copy and its second look:
      // who copied a figure written below sees the odd round.
      std::atomic_thread_fence(std::memory_order_release);
    }
    ~Writing() {
      // Release: pairs with the reader's acquire of an even round.
      round_.store(round_.load(std::memory_order_relaxed) + 1,
                   std::memory_order_release);
    }
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;

   private:
    ledger::AtomicU32& round_;
  };

  static void Set(ledger::AtomicU64& field, std::uint64_t value) {
    field.store(value, std::memory_order_relaxed);
  }
  static void Add(ledger::AtomicU64& field, std::uint64_t value) {
    Set(field, field.load(std::memory_order_relaxed) + value);
  }

  // Eight bytes of a name; names end in a zero.
  static std::uint64_t WordOf(const CountedType& type, std::size_t word) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      const std::size_t at = word * 8 + i;
      if (at >= type.name_bytes || at + 1 >= ledger::kPythonTypeNameBytes) {
        break;
      }
      value |= std::uint64_t{static_cast<std::uint8_t>(type.name[at])}
               << (8 * i);
    }
    return value;
  }

  ledger::PythonRecord& record_;
};

}  // namespace heapledger::preload
