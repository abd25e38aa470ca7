// SPDX-License-Identifier: Apache-2.0
// The facts section of a snapshot file: whose heap it is, when and how it was
// measured, as JSON that a person can read with `strings`. What is listed here
// is all that is stored of a process besides its stacks and counters: its
// arguments, environment and host name are not.
//
//   {"format": …, "written_by": …,
//    "process": {identity and state},
//    "measured": {"mode", "stack", "max_depth", …, "degraded": {word: count}},
//    "taken": {"utc", "realtime_ns", "monotonic_ns"},
//    "totals": {counters}, "cut": {counters}, "peak_live_bytes": …,
//    "ledger": {"bytes", "cap_bytes", "corrupt_records"}, …}
#pragma once

#include <nlohmann/json.hpp>

#include "collector/shm/snapshot.h"

namespace heapledger::collector {

[[nodiscard]] nlohmann::ordered_json HlFacts(const LedgerSnapshot& snapshot);

// Sets in `snapshot` what the facts say. What is missing or of another type
// stays as it is: the totals are checked against the counters by the reader.
void ApplyHlFacts(const nlohmann::ordered_json& facts,
                  LedgerSnapshot& snapshot);

}  // namespace heapledger::collector
