// SPDX-License-Identifier: Apache-2.0
// A look at the memory of a running process under the shim, from outside: what
// its resident pages are for. Reads its smaps, pagemap and object map while it
// runs on.
#pragma once

#include <chrono>

#include "absl/status/statusor.h"
#include "collector/shm/discovery.h"
#include "collector/shm/snapshot.h"
#include "collector/system/heap_pages.h"
#include "collector/system/heap_verdict.h"

namespace heapledger::collector::cli {

struct MemoryLook {
  MemoryWaterfall waterfall;
  HeapPages pages;
  // Whether malloc's areas are known, as glibc's are. Of others, what the
  // program mapped itself right beside them counts as theirs.
  bool areas_known = false;
};

// About 0.2 s per GiB of heap. The message says why the memory cannot be told,
// and what to do; it is for a process that runs.
[[nodiscard]] absl::StatusOr<MemoryLook> LookAtMemory(
    const LedgerSnapshot& snapshot, const DiscoveryOptions& discovery,
    std::chrono::nanoseconds budget = std::chrono::seconds(5));

}  // namespace heapledger::collector::cli
