// SPDX-License-Identifier: Apache-2.0
// The result of the reachability scan at exit, out of a ledger.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "collector/shm/mapped_ledger.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

class LeakReader {
 public:
  explicit LeakReader(const MappedLedger& file) : file_(file) {}

  // Copies the scan's state and, where it is complete, its records. The state
  // first: once it says kComplete the records do not change.
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

  const MappedLedger& file_;
  LeakScan scan_;
  std::vector<IdCounts> cells_;
  std::uint64_t corrupt_ = 0;
};

}  // namespace heapledger::collector
