// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/header_decoder.h"

#include <string.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "heapledger/ledger/layout.h"
#include "heapledger/ledger/reasons.h"

namespace heapledger::collector {
namespace {

using ledger::Header;

static_assert(kDegradedKinds == std::size(Header{}.degraded));

// A zero-terminated text of the header; a text without an end is cut.
std::string HeaderText(const Words& header, std::size_t offset,
                       std::size_t size, std::uint64_t* corrupt) {
  const char* const begin =
      reinterpret_cast<const char*>(header.data()) + offset;
  const std::size_t length = strnlen(begin, size);
  if (length == size) ++*corrupt;
  return {begin, std::min(length, size - 1)};
}

template <typename Field>
Field HeaderNumber(const Words& header, std::size_t offset) {
  return LoadField<Field>(header, offset);
}

#define HEAPLEDGER_HEADER_FIELD(type, field) \
  HeaderNumber<type>(header, offsetof(Header, field))
#define HEAPLEDGER_HEADER_TEXT(field) \
  HeaderText(header, offsetof(Header, field), sizeof(Header::field), corrupt)

LedgerIdentity IdentityOf(const Words& header, std::uint64_t* corrupt) {
  using U32 = std::uint32_t;
  using U64 = std::uint64_t;
  LedgerIdentity who;
  who.pid = HEAPLEDGER_HEADER_FIELD(U32, pid);
  who.uid = HEAPLEDGER_HEADER_FIELD(U32, uid);
  who.start_time_ticks = HEAPLEDGER_HEADER_FIELD(U64, start_time_ticks);
  who.pid_namespace = HEAPLEDGER_HEADER_FIELD(U64, pid_namespace);
  who.image = HEAPLEDGER_HEADER_FIELD(U32, image);
  who.parent_pid = HEAPLEDGER_HEADER_FIELD(U32, parent_pid);
  who.parent_start_time_ticks =
      HEAPLEDGER_HEADER_FIELD(U64, parent_start_time_ticks);
  who.created_realtime_ns = HEAPLEDGER_HEADER_FIELD(U64, created_realtime_ns);
  who.created_monotonic_ns = HEAPLEDGER_HEADER_FIELD(U64, created_monotonic_ns);
  who.boot_id = HEAPLEDGER_HEADER_TEXT(boot_id);
  who.exe = HEAPLEDGER_HEADER_TEXT(exe);
  who.comm = HEAPLEDGER_HEADER_TEXT(comm);
  who.shim_version = HEAPLEDGER_HEADER_TEXT(shim_version);
  return who;
}

ProcessState StateOf(std::uint32_t value, std::uint64_t* corrupt) {
  switch (static_cast<ledger::State>(value)) {
    case ledger::State::kStarting:
      return ProcessState::kStarting;
    case ledger::State::kLive:
      return ProcessState::kLive;
    case ledger::State::kExited:
      return ProcessState::kExited;
    case ledger::State::kReplaced:
      return ProcessState::kReplaced;
    case ledger::State::kOff:
      return ProcessState::kOff;
  }
  ++*corrupt;
  return ProcessState::kStarting;
}

ScanState ScanStateOf(std::uint32_t value) {
  switch (static_cast<ledger::ScanState>(value)) {
    case ledger::ScanState::kNotAsked:
      return ScanState::kNotAsked;
    case ledger::ScanState::kPending:
      return ScanState::kPending;
    case ledger::ScanState::kRunning:
      return ScanState::kRunning;
    case ledger::ScanState::kComplete:
      return ScanState::kComplete;
    case ledger::ScanState::kIncomplete:
      return ScanState::kIncomplete;
  }
  return ScanState::kUnknown;
}

MeasureMode ModeOf(std::uint32_t value) {
  switch (static_cast<ledger::Mode>(value)) {
    case ledger::Mode::kExact:
      return MeasureMode::kExact;
    case ledger::Mode::kSampled:
      return MeasureMode::kSampled;
    case ledger::Mode::kDormant:
      return MeasureMode::kDormant;
  }
  return MeasureMode::kUnknown;
}

StackDetail StackDetailOf(std::uint32_t value) {
  switch (static_cast<ledger::StackMode>(value)) {
    case ledger::StackMode::kFull:
      return StackDetail::kFull;
    case ledger::StackMode::kFramePointer:
      return StackDetail::kFramePointer;
    case ledger::StackMode::kCaller:
      return StackDetail::kCaller;
    case ledger::StackMode::kAdaptive:
      return StackDetail::kAdaptive;
  }
  return StackDetail::kUnknown;
}

}  // namespace

void DecodeHeader(const Words& header, LedgerSnapshot& snapshot) {
  using U32 = std::uint32_t;
  using U64 = std::uint64_t;
  std::uint64_t* const corrupt = &snapshot.corrupt_records;
  snapshot.identity = IdentityOf(header, corrupt);
  snapshot.mode = ModeOf(HEAPLEDGER_HEADER_FIELD(U32, mode));
  snapshot.stack_detail =
      StackDetailOf(HEAPLEDGER_HEADER_FIELD(U32, stack_mode));
  snapshot.max_depth = HEAPLEDGER_HEADER_FIELD(U32, max_depth);
  snapshot.sample_bytes = HEAPLEDGER_HEADER_FIELD(U32, sample_bytes);
  snapshot.budget_percent = HEAPLEDGER_HEADER_FIELD(U32, budget_percent);
  snapshot.armed_realtime_ns = HEAPLEDGER_HEADER_FIELD(U64, armed_realtime_ns);
  snapshot.disarmed_realtime_ns =
      HEAPLEDGER_HEADER_FIELD(U64, disarmed_realtime_ns);
  snapshot.state = StateOf(HEAPLEDGER_HEADER_FIELD(U32, state), corrupt);
  snapshot.off_reason = HEAPLEDGER_HEADER_FIELD(U32, off_reason);
  snapshot.state_changed_realtime_ns =
      HEAPLEDGER_HEADER_FIELD(U64, state_changed_realtime_ns);
  snapshot.cap_bytes = HEAPLEDGER_HEADER_FIELD(U64, cap_bytes);
  snapshot.python_version = HEAPLEDGER_HEADER_FIELD(U32, python_version);
  snapshot.python_state = HEAPLEDGER_HEADER_FIELD(U32, python_state);
  snapshot.object_map.directory =
      HEAPLEDGER_HEADER_FIELD(U64, object_map_directory);
  snapshot.object_map.leaf_shift =
      HEAPLEDGER_HEADER_FIELD(U32, object_map_leaf_shift);
  snapshot.object_map.granule_shift =
      HEAPLEDGER_HEADER_FIELD(U32, object_map_granule_shift);
  for (std::size_t kind = 0; kind < kDegradedKinds; ++kind) {
    snapshot.degraded[kind] = HeaderNumber<U64>(
        header, offsetof(Header, degraded) + kind * sizeof(U64));
  }
}

namespace {

void DecodeRecord(const Words& header, std::size_t at, LeakScan& scan) {
  using ledger::ScanRecord;
  const auto u32 = [&](std::size_t field) {
    return HeaderNumber<std::uint32_t>(header, at + field);
  };
  const auto u64 = [&](std::size_t field) {
    return HeaderNumber<std::uint64_t>(header, at + field);
  };
  scan.state = ScanStateOf(u32(offsetof(ScanRecord, state)));
  scan.reason = u32(offsetof(ScanRecord, reason));
  scan.blocks = u64(offsetof(ScanRecord, blocks));
  scan.unreachable = u64(offsetof(ScanRecord, unreachable));
  scan.threads = u64(offsetof(ScanRecord, threads));
  scan.root_bytes = u64(offsetof(ScanRecord, root_bytes));
  scan.duration_ns = u64(offsetof(ScanRecord, duration_ns));
  scan.pause_ns = u64(offsetof(ScanRecord, pause_ns));
}

}  // namespace

LeakScan DecodeScan(const Words& header) {
  LeakScan scan;
  DecodeRecord(header, offsetof(Header, scan), scan);
  return scan;
}

LiveLeakScan DecodeLiveScan(const Words& header) {
  LiveLeakScan scan;
  DecodeRecord(header, offsetof(Header, live_scan), scan);
  using U32 = std::uint32_t;
  using U64 = std::uint64_t;
  scan.round = HEAPLEDGER_HEADER_FIELD(U32, live_round);
  scan.pause_limit_ms = HEAPLEDGER_HEADER_FIELD(U32, live_pause_limit_ms);
  scan.realtime_ns = HEAPLEDGER_HEADER_FIELD(U64, live_realtime_ns);
  return scan;
}

#undef HEAPLEDGER_HEADER_FIELD
#undef HEAPLEDGER_HEADER_TEXT

}  // namespace heapledger::collector
