// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/leak_reader.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

#include "collector/shm/header_decoder.h"
#include "heapledger/ledger/layout.h"

namespace heapledger::collector {
namespace {

using ledger::LeakCell;

constexpr std::uint32_t kCellsPerChunk = ledger::kRecordsPerChunk<LeakCell>;
constexpr std::size_t kCellWords = sizeof(LeakCell) / kWordBytes;

// An address space has no more, for one callsite or for all of them.
constexpr std::uint64_t kMaximumCount = std::uint64_t{1} << 47;

LeakCounts CountsOf(std::span<const std::uint64_t> cell) {
  const auto field = [cell](std::size_t offset) {
    return LoadField<std::uint64_t>(cell, offset);
  };
  return {field(offsetof(LeakCell, direct_bytes)),
          field(offsetof(LeakCell, direct_objects)),
          field(offsetof(LeakCell, indirect_bytes)),
          field(offsetof(LeakCell, indirect_objects))};
}

bool Possible(const LeakCounts& counts) {
  return std::max({counts.direct_bytes, counts.direct_objects,
                   counts.indirect_bytes, counts.indirect_objects}) <=
         kMaximumCount;
}

}  // namespace

absl::Status LeakReader::Read() {
  Words header;
  if (absl::Status ok = file_.CopyHeader(&header); !ok.ok()) return ok;
  scan_ = DecodeScan(header);
  live_scan_ = DecodeLiveScan(header);
  if (scan_.state == ScanState::kComplete) {
    const absl::Status ok = ReadCells(ledger::ExtentKind::kLeaks, cells_);
    if (!ok.ok()) return ok;
  }
  if (live_scan_.state != ScanState::kComplete) return absl::OkStatus();
  absl::Status ok = ReadCells(ledger::ExtentKind::kLiveLeaks, live_cells_);
  if (ok.ok()) ok = file_.CopyHeader(&header);
  if (!ok.ok()) return ok;
  if (live_scan_.round % 2 != 0 ||
      DecodeLiveScan(header).round != live_scan_.round) {
    live_scan_.state = ScanState::kRunning;
    live_cells_.clear();
  }
  return absl::OkStatus();
}

absl::Status LeakReader::ReadCells(ledger::ExtentKind kind, Cells& cells) {
  const auto extents = file_.ReadExtents();
  if (!extents.ok()) return extents.status();
  Words words(kCellsPerChunk * kCellWords);
  for (const ExtentView& extent : extents->OfKind(kind)) {
    if (absl::Status ok = file_.Copy(extent.page, words); !ok.ok()) return ok;
    for (std::uint32_t i = 0; i < kCellsPerChunk; ++i) {
      const LeakCounts counts =
          CountsOf(std::span<const std::uint64_t>(words).subspan(i * kCellWords,
                                                                 kCellWords));
      if (counts == LeakCounts{}) continue;
      if (!Possible(counts)) {
        ++corrupt_;
        continue;
      }
      cells.push_back({extent.chunk * kCellsPerChunk + i, counts});
    }
  }
  return absl::OkStatus();
}

void LeakReader::Book(
    const absl::flat_hash_map<std::uint32_t, std::uint32_t>& index_of_callsite,
    LedgerSnapshot& snapshot) {
  const std::size_t callsites = snapshot.counters.size();
  Book(cells_, index_of_callsite, callsites, scan_);
  Book(live_cells_, index_of_callsite, callsites, live_scan_);
  snapshot.corrupt_records += corrupt_;
  snapshot.scan = std::move(scan_);
  snapshot.live_scan = std::move(live_scan_);
}

void LeakReader::Book(
    const Cells& cells,
    const absl::flat_hash_map<std::uint32_t, std::uint32_t>& index_of_callsite,
    std::size_t callsites, LeakScan& scan) {
  // Callsites with the same stack are one to the reader.
  std::map<std::uint32_t, LeakCounts> by_index;
  for (const auto& [id, counts] : cells) {
    const auto known = index_of_callsite.find(id);
    LeakCounts totals = scan.totals;
    totals += counts;
    if (known == index_of_callsite.end() || known->second >= callsites ||
        !Possible(totals)) {
      ++corrupt_;
      continue;
    }
    by_index[known->second] += counts;
    scan.totals = totals;
  }
  scan.leaks.reserve(by_index.size());
  for (const auto& [index, counts] : by_index) {
    scan.leaks.push_back({index, counts});
  }
}

}  // namespace heapledger::collector
