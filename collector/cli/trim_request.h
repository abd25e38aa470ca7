// SPDX-License-Identifier: Apache-2.0
// Asking a running program to have its allocator give memory back, and what
// came of it.
#pragma once

#include <chrono>
#include <string>

#include "absl/status/statusor.h"
#include "collector/shm/discovery.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

struct TrimAnswer {
  LedgerIdentity who;
  Allocator allocator = Allocator::kUnknown;
  TrimFacts trim;
};

// Waits for the answer for this long. The message says why there is none and
// what to do; a request that was not taken stays with the program.
[[nodiscard]] absl::StatusOr<TrimAnswer> AskForTrim(
    const std::string& what, const DiscoveryOptions& discovery,
    std::chrono::milliseconds patience);

// "returned 2.00 GiB in 312 ms: …"
[[nodiscard]] std::string TrimSentence(const TrimAnswer& answer);

}  // namespace heapledger::collector::cli
