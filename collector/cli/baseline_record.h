// SPDX-License-Identifier: Apache-2.0
// Looks at a running program for a while and learns what is normal for it.
//
// Thread safety: one at a time per process.
#pragma once

#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "collector/baseline/baseline.h"
#include "collector/shm/discovery.h"

namespace heapledger::collector::cli {

struct RecordOptions {
  std::string what;  // a pid or a name
  std::chrono::nanoseconds duration{};
  std::chrono::nanoseconds interval{};  // between samples
  DiscoveryOptions discovery;
};

// SIGINT ends it early. NotFound where no such program runs;
// FailedPrecondition where it grew, so that there is nothing to be learned.
[[nodiscard]] absl::StatusOr<baseline::Baseline> Record(
    const RecordOptions& options);

}  // namespace heapledger::collector::cli
