// SPDX-License-Identifier: Apache-2.0
// All ledgers of a host, kept open between looks so that a repeated sample
// reads counters only.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "collector/shm/discovery.h"
#include "collector/shm/ledger_reader.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

class HostLedgers {
 public:
  explicit HostLedgers(DiscoveryOptions options);

  // A ledger that cannot be read costs one sentence in `problems`.
  HostSnapshot Take(UnmeasuredScan scan = UnmeasuredScan::kMarkersAndMaps);

 private:
  struct Entry {
    std::unique_ptr<LedgerReader> reader;
    std::shared_ptr<const LedgerSnapshot> last;
    bool final = false;  // the process is gone: nothing changes any more
    bool seen = false;
  };

  absl::Status Look(const FoundLedger& found, Entry& entry);

  DiscoveryOptions options_;
  std::map<std::string, Entry> entries_;  // by path and inode
};

}  // namespace heapledger::collector
