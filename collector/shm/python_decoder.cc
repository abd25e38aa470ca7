// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/python_decoder.h"

#include <string.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "heapledger/ledger/python_record.h"

namespace heapledger::collector {
namespace {

using ledger::PythonGeneration;
using ledger::PythonRecord;
using ledger::PythonType;

static_assert(kPythonGenerationCount == ledger::kPythonGenerations);

// No interpreter gets there; what stays below cannot wrap a sum.
constexpr std::uint64_t kMaximumCount = std::uint64_t{1} << 56;
// A part is written in microseconds: looked at so often, one that is torn each
// time belongs to a writer that was killed.
constexpr int kLooks = 4;

class Decoder {
 public:
  Decoder(const Words& words, std::uint64_t* corrupt)
      : words_(words), corrupt_(corrupt) {}

  [[nodiscard]] std::uint64_t U64(std::size_t at) const {
    const auto value = LoadField<std::uint64_t>(words_, at);
    if (value <= kMaximumCount) return value;
    ++*corrupt_;
    return 0;
  }
  // A time can be any.
  [[nodiscard]] std::uint64_t Time(std::size_t at) const {
    return LoadField<std::uint64_t>(words_, at);
  }
  [[nodiscard]] std::uint32_t U32(std::size_t at) const {
    return LoadField<std::uint32_t>(words_, at);
  }
  [[nodiscard]] std::string Name(std::size_t at) const {
    const char* const text = reinterpret_cast<const char*>(words_.data()) + at;
    return {text, strnlen(text, ledger::kPythonTypeNameBytes)};
  }
  void CountCorrupt() const { ++*corrupt_; }

 private:
  const Words& words_;
  std::uint64_t* corrupt_;
};

std::pair<PythonCollections, PythonDurations> Generation(const Decoder& record,
                                                         std::size_t at) {
  PythonCollections counts;
  counts.collections = record.U64(at + offsetof(PythonGeneration, collections));
  counts.collected = record.U64(at + offsetof(PythonGeneration, collected));
  counts.uncollectable =
      record.U64(at + offsetof(PythonGeneration, uncollectable));
  counts.counter = record.U64(at + offsetof(PythonGeneration, counter));
  counts.threshold = record.U64(at + offsetof(PythonGeneration, threshold));
  PythonDurations durations;
  durations.total_ns = record.U64(at + offsetof(PythonGeneration, duration_ns));
  for (std::uint32_t i = 0; i < ledger::kPythonDurations; ++i) {
    const bool last = i + 1 == ledger::kPythonDurations;
    durations.buckets.emplace_back(
        last ? std::numeric_limits<std::uint64_t>::max()
             : ledger::kPythonDurationBoundsNs[i],
        record.U64(at + offsetof(PythonGeneration, durations) + 8 * i));
  }
  return {counts, std::move(durations)};
}

void DecodeGenerations(const Decoder& record, PythonFigures& figures) {
  auto& generations = figures.generations.emplace();
  for (std::uint32_t i = 0; i < ledger::kPythonGenerations; ++i) {
    generations[i] = Generation(record, offsetof(PythonRecord, generations) +
                                            i * sizeof(PythonGeneration));
  }
}

void DecodeHeap(const Decoder& record, PythonFigures& figures) {
  PythonHeap heap;
  heap.realtime_ns = record.Time(offsetof(PythonRecord, heap_realtime_ns));
  if (heap.realtime_ns == 0) return;
  heap.blocks = record.U64(offsetof(PythonRecord, blocks));
  heap.arenas = record.U64(offsetof(PythonRecord, arenas));
  heap.arena_bytes = record.U64(offsetof(PythonRecord, arena_bytes));
  heap.block_bytes = record.U64(offsetof(PythonRecord, block_bytes));
  if (heap.block_bytes > heap.arena_bytes) {
    record.CountCorrupt();
    heap.block_bytes = heap.arena_bytes;
  }
  for (std::uint32_t i = 0; i < ledger::kPythonSizeClasses; ++i) {
    heap.size_classes.emplace_back(
        (i + 1) * ledger::kPythonSizeClassBytes,
        record.U64(offsetof(PythonRecord, size_class_blocks) + 8 * i));
  }
  figures.heap = std::move(heap);
}

void DecodeTypes(const Decoder& record, PythonFigures& figures) {
  PythonTypes types;
  types.realtime_ns = record.Time(offsetof(PythonRecord, types_realtime_ns));
  if (types.realtime_ns == 0) return;
  types.duration_ns = record.U64(offsetof(PythonRecord, types_duration_ns));
  types.objects = record.U64(offsetof(PythonRecord, tracked_objects));
  const std::uint64_t count = std::min<std::uint64_t>(
      record.U64(offsetof(PythonRecord, type_count)), ledger::kPythonTypes);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t at =
        offsetof(PythonRecord, types) + i * sizeof(PythonType);
    const std::uint64_t objects =
        record.U64(at + offsetof(PythonType, objects));
    std::string name = record.Name(at + offsetof(PythonType, name));
    const bool known = std::ranges::any_of(
        types.named, [&name](const auto& type) { return type.first == name; });
    if (name.empty() || known || objects > types.objects - sum) {
      record.CountCorrupt();
      continue;
    }
    sum += objects;
    types.named.emplace_back(std::move(name), objects);
  }
  figures.types = std::move(types);
}

PythonHelperState StateOf(std::uint32_t state) {
  switch (static_cast<ledger::HelperState>(state)) {
    case ledger::HelperState::kWaiting:
      return PythonHelperState::kWaiting;
    case ledger::HelperState::kOn:
      return PythonHelperState::kOn;
    case ledger::HelperState::kOff:
      return PythonHelperState::kOff;
    case ledger::HelperState::kNone:
      break;
  }
  return PythonHelperState::kUnknown;
}

void DecodeRest(const Decoder& record, PythonFigures& figures) {
  figures.state = StateOf(record.U32(offsetof(PythonRecord, state)));
  figures.reason = record.U32(offsetof(PythonRecord, reason));
  figures.version =
      PythonVersion::Of(record.U32(offsetof(PythonRecord, version)));
  figures.collector_enabled =
      record.U32(offsetof(PythonRecord, collector_enabled)) != 0;
  figures.installed_realtime_ns =
      record.Time(offsetof(PythonRecord, installed_realtime_ns));
  constexpr std::size_t kCost = offsetof(PythonRecord, cost);
  using ledger::PythonCost;
  figures.held_ns = record.U64(kCost + offsetof(PythonCost, held_ns));
  figures.waited_ns = record.U64(kCost + offsetof(PythonCost, waited_ns));
  figures.callback_ns = record.U64(kCost + offsetof(PythonCost, callback_ns));
  figures.refreshes = record.U64(kCost + offsetof(PythonCost, refreshes));
}

// Whether a part of `before` was whole: its round even, and still the same.
bool IsWhole(const Words& before, const Words& after, std::size_t round) {
  const auto first = LoadField<std::uint32_t>(before, round);
  return first % 2 == 0 && LoadField<std::uint32_t>(after, round) == first;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const PythonFigures>> ReadPython(
    const MappedLedger& file, std::uint64_t* corrupt) {
  const auto extents = file.ReadExtents();
  if (!extents.ok()) return extents.status();
  const auto found = extents->Find(ledger::ExtentKind::kPython, 0);
  if (found.empty()) return nullptr;
  auto figures = std::make_shared<PythonFigures>();
  Words record(sizeof(PythonRecord) / kWordBytes);
  Words again(record.size());
  for (int look = 0; look < kLooks; ++look) {
    if (absl::Status ok = file.Copy(found.front().page, record); !ok.ok()) {
      return ok;
    }
    // Pairs with the writer's release fence behind an odd round.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (absl::Status ok = file.Copy(found.front().page, again); !ok.ok()) {
      return ok;
    }
    std::uint64_t bad = 0;
    const Decoder decoder(record, &bad);
    DecodeRest(decoder, *figures);
    const auto take = [&](std::size_t round, auto& part, auto decode) {
      if (!part && IsWhole(record, again, round)) decode(decoder, *figures);
    };
    take(offsetof(PythonRecord, collections_round), figures->generations,
         DecodeGenerations);
    take(offsetof(PythonRecord, heap_round), figures->heap, DecodeHeap);
    take(offsetof(PythonRecord, types_round), figures->types, DecodeTypes);
    *corrupt += bad;
    if (figures->generations && figures->heap && figures->types) break;
  }
  return figures;
}

std::string_view PythonReasonWord(std::uint32_t reason) {
  using ledger::PythonReason;
  switch (static_cast<PythonReason>(reason)) {
    case PythonReason::kNone:
      return "none";
    case PythonReason::kNoThread:
      return "no_thread";
    case PythonReason::kNoSymbols:
      return "no_symbols";
    case PythonReason::kVersion:
      return "version";
    case PythonReason::kFreeThreaded:
      return "free_threaded";
    case PythonReason::kRefused:
      return "refused";
    case PythonReason::kFinalized:
      return "finalized";
  }
  return "unknown";
}

}  // namespace heapledger::collector
