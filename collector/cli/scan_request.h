// SPDX-License-Identifier: Apache-2.0
// Asking a running program for a reachability scan, and waiting for its end.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "collector/shm/discovery.h"

namespace heapledger::collector::cli {

// `max_pause`: "20ms"; empty: as the shim has it. The message says why there is
// no result and what to do; one that is found is in the ledger.
[[nodiscard]] absl::Status AskForScan(const std::string& what,
                                      const DiscoveryOptions& discovery,
                                      const std::string& max_pause);

}  // namespace heapledger::collector::cli
