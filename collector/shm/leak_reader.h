// SPDX-License-Identifier: Apache-2.0
// The results of reachability scans, out of a ledger: of the one at exit, and
// of the last one of the running program.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "collector/shm/mapped_ledger.h"
#include "collector/shm/snapshot.h"
#include "heapledger/ledger/layout.h"

namespace heapledger::collector {

class LeakReader {
 public:
  explicit LeakReader(const MappedLedger& file) : file_(file) {}

  // Copies the scans' states and, where they are complete, their records. The
  // state first: once it says kComplete at exit the records do not change;
  // those of the running program are looked at by their round.
  absl::Status Read();

  // Puts what was read into the snapshot, by callsite index. What names no
  // callsite, or counts more than can be, is left out and counted in
  // corrupt_records.
  void Book(const absl::flat_hash_map<std::uint32_t, std::uint32_t>&
                index_of_callsite,
            LedgerSnapshot& snapshot);

 private:
  struct IdCounts {
    std::uint32_t id;
    LeakCounts counts;
  };

  using Cells = std::vector<IdCounts>;

  absl::Status ReadCells(ledger::ExtentKind kind, Cells& cells);
  void Book(const Cells& cells,
            const absl::flat_hash_map<std::uint32_t, std::uint32_t>&
                index_of_callsite,
            std::size_t callsites, LeakScan& scan);

  const MappedLedger& file_;
  LeakScan scan_;
  LiveLeakScan live_scan_;
  Cells cells_;
  Cells live_cells_;
  std::uint64_t corrupt_ = 0;
};

}  // namespace heapledger::collector
