// SPDX-License-Identifier: Apache-2.0
// Suspects out of a few snapshots, taken minutes or days apart: what rose from
// each to the next. Weaker than a running program's floors, as a swing that was
// met on its way up looks the same; the figures say how many moments there
// were.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/leaks/process_leaks.h"
#include "collector/ledger/naming.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

// One snapshot, and the names of its frames.
struct HeapMoment {
  std::shared_ptr<const LedgerSnapshot> snapshot;
  FrameNames* names = nullptr;
};

inline constexpr std::size_t kMinimumMoments = 3;

// InvalidArgument for fewer than three moments, and where one was not taken
// after the one before it. Bounds on age are given where all are of one
// process. The view is as of the last.
[[nodiscard]] absl::StatusOr<std::shared_ptr<const ProcessLeakView>>
SuspectsBetween(const std::vector<HeapMoment>& moments,
                const LeakOptions& options);

}  // namespace heapledger::collector
