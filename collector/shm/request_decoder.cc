// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/request_decoder.h"

#include <cstddef>

#include "heapledger/ledger/layout.h"
#include "heapledger/ledger/requests.h"

namespace heapledger::collector {
namespace {

using ledger::Header;
using ledger::PressureListener;
using ledger::PressureRecord;
using ledger::TrimRecord;

// Numbers of a record that begins at an offset of the header.
struct RecordReader {
  const Words& header;
  std::size_t at;

  [[nodiscard]] std::uint32_t U32(std::size_t field) const {
    return LoadField<std::uint32_t>(header, at + field);
  }
  [[nodiscard]] std::uint64_t U64(std::size_t field) const {
    return LoadField<std::uint64_t>(header, at + field);
  }
};

Allocator AllocatorOf(std::uint64_t value) {
  switch (static_cast<ledger::Allocator>(value)) {
    case ledger::Allocator::kGlibc:
      return Allocator::kGlibc;
    case ledger::Allocator::kJemalloc:
      return Allocator::kJemalloc;
    case ledger::Allocator::kTcmalloc:
      return Allocator::kTcmalloc;
    case ledger::Allocator::kMimalloc:
      return Allocator::kMimalloc;
    case ledger::Allocator::kUnknown:
      break;
  }
  return Allocator::kUnknown;
}

TrimAsker AskerOf(std::uint32_t value) {
  switch (static_cast<ledger::TrimAsker>(value)) {
    case ledger::TrimAsker::kUser:
      return TrimAsker::kUser;
    case ledger::TrimAsker::kCollector:
      return TrimAsker::kCollector;
  }
  return TrimAsker::kUnknown;
}

TrimResult ResultOf(std::uint32_t value) {
  switch (static_cast<ledger::TrimResult>(value)) {
    case ledger::TrimResult::kNone:
      return TrimResult::kNone;
    case ledger::TrimResult::kReturned:
      return TrimResult::kReturned;
    case ledger::TrimResult::kNothing:
      return TrimResult::kNothing;
    case ledger::TrimResult::kDone:
      return TrimResult::kDone;
    case ledger::TrimResult::kFailed:
      return TrimResult::kFailed;
    case ledger::TrimResult::kTooSoon:
      return TrimResult::kTooSoon;
    case ledger::TrimResult::kSealed:
      return TrimResult::kSealed;
    case ledger::TrimResult::kInHandler:
      return TrimResult::kInHandler;
  }
  return TrimResult::kUnknown;
}

TrimFacts TrimOf(const Words& header) {
  const RecordReader record{header, offsetof(Header, trim)};
  TrimFacts trim;
  trim.trims = record.U64(offsetof(TrimRecord, ended));
  trim.result = ResultOf(record.U32(offsetof(TrimRecord, result)));
  if (trim.trims != 0) {
    trim.asked_by = AskerOf(record.U32(offsetof(TrimRecord, asked_by)));
  }
  trim.realtime_ns = record.U64(offsetof(TrimRecord, realtime_ns));
  trim.duration_ns = record.U64(offsetof(TrimRecord, duration_ns));
  trim.before = {record.U64(offsetof(TrimRecord, resident_before)),
                 record.U64(offsetof(TrimRecord, held_before)),
                 record.U64(offsetof(TrimRecord, free_before))};
  trim.after = {record.U64(offsetof(TrimRecord, resident_after)),
                record.U64(offsetof(TrimRecord, held_after)),
                record.U64(offsetof(TrimRecord, free_after))};
  trim.refused = record.U64(offsetof(TrimRecord, refused));
  trim.last_refusal = ResultOf(record.U32(offsetof(TrimRecord, last_refusal)));
  trim.torn = record.U64(offsetof(TrimRecord, begun)) != trim.trims;
  return trim;
}

PressureFacts PressureOf(const Words& header) {
  constexpr std::size_t kAt = offsetof(Header, pressure);
  const RecordReader record{header, kAt};
  PressureFacts pressure;
  pressure.taken_level =
      PressureLevelOf(record.U32(offsetof(PressureRecord, taken_level)));
  pressure.waiting = record.U32(offsetof(PressureRecord, waiting));
  pressure.taken = record.U64(offsetof(PressureRecord, taken));
  pressure.taken_realtime_ns =
      record.U64(offsetof(PressureRecord, taken_realtime_ns));
  pressure.polls = record.U64(offsetof(PressureRecord, polls));
  for (std::size_t i = 0; i < ledger::kPressureListeners; ++i) {
    const RecordReader slot{header, kAt + offsetof(PressureRecord, listeners) +
                                        i * sizeof(PressureListener)};
    PressureListenerFacts listener;
    listener.callback = slot.U64(offsetof(PressureListener, callback));
    if (listener.callback == 0) continue;
    listener.least_level = slot.U32(offsetof(PressureListener, least_level));
    listener.last_level = slot.U32(offsetof(PressureListener, last_level));
    listener.runs = slot.U64(offsetof(PressureListener, runs));
    listener.total_ns = slot.U64(offsetof(PressureListener, total_ns));
    listener.longest_ns = slot.U64(offsetof(PressureListener, longest_ns));
    pressure.listeners.push_back(listener);
  }
  return pressure;
}

}  // namespace

PressureLevel PressureLevelOf(std::uint64_t value) {
  return value <= static_cast<std::uint64_t>(PressureLevel::kOver)
             ? static_cast<PressureLevel>(value)
             : PressureLevel::kNotAsked;
}

void DecodeRequests(const Words& header, LedgerSnapshot& snapshot) {
  snapshot.allocator = AllocatorOf(
      LoadField<std::uint64_t>(header, offsetof(Header, allocator)));
  snapshot.trim = TrimOf(header);
  snapshot.pressure = PressureOf(header);
}

}  // namespace heapledger::collector
