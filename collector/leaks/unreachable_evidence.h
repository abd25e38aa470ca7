// SPDX-License-Identifier: Apache-2.0
// The evidence of a reachability scan: blocks of a callsite that no pointer
// reached. A proof for the moment of the scan, and for ever after: what nothing
// points to nobody finds again.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "collector/ledger/process_account.h"

namespace heapledger::collector {

struct UnreachableEvidence {
  LeakCounts counts;
  bool at_exit = false;
  std::uint64_t realtime_ns = 0;  // when the scan ended; 0 at exit
  std::uint64_t pause_ns = 0;     // for which the program stood still

  [[nodiscard]] std::uint64_t bytes() const {
    return counts.direct_bytes + counts.indirect_bytes;
  }
  [[nodiscard]] std::uint64_t objects() const {
    return counts.direct_objects + counts.indirect_objects;
  }
};

// What the last complete scan of a process said, by account.
class UnreachableBlocks {
 public:
  // Takes what the snapshot has that is new. `account` was updated with it.
  void Update(const ProcessAccount& account, const LedgerSnapshot& snapshot);

  // Null where nothing of the account was unreachable.
  [[nodiscard]] const UnreachableEvidence* Of(std::size_t account) const;
  [[nodiscard]] const std::map<std::size_t, UnreachableEvidence>& all() const {
    return by_account_;
  }
  // Whether there was one.
  [[nodiscard]] bool scanned() const { return scanned_; }

 private:
  void Take(const ProcessAccount& account, const LeakScan& scan,
            const UnreachableEvidence& facts);

  std::map<std::size_t, UnreachableEvidence> by_account_;
  std::uint32_t round_ = 0;
  bool scanned_ = false;
};

}  // namespace heapledger::collector
