// SPDX-License-Identifier: Apache-2.0
// From what a user types (a pid, a program's name, a file) to one ledger.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/shm/discovery.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

// Of several that fit, the running one, else the one that began last. The
// message says what was looked for and where, and how to get one.
absl::StatusOr<std::shared_ptr<const LedgerSnapshot>> FindLedger(
    const DiscoveryOptions& options, const std::string& what);

// A ledger and where it was found: what writing to it takes.
struct LiveLedger {
  std::shared_ptr<const LedgerSnapshot> snapshot;
  FoundLedger found;
};

// The one running process that fits. The message says why there is none, or
// which ones there are.
absl::StatusOr<LiveLedger> FindLiveLedger(const DiscoveryOptions& options,
                                          const std::string& what);

// The snapshot of a ledger file, wherever it lies and whoever owns it.
absl::StatusOr<std::shared_ptr<const LedgerSnapshot>> TakeFile(
    const DiscoveryOptions& options, const std::string& path);

// Whether `what` names this ledger: its pid, program or comm.
[[nodiscard]] bool Matches(const LedgerSnapshot& snapshot,
                           const std::string& what);

// Processes without counts that belong to this one: those of the same `run`,
// else children that still run.
[[nodiscard]] std::vector<UnmeasuredProcess> UnmeasuredChildren(
    const DiscoveryOptions& options, const LedgerSnapshot& snapshot);

}  // namespace heapledger::collector::cli
