// SPDX-License-Identifier: Apache-2.0
// Suspects as JSON: the same for /api/v1/leaks and `leaks --json`.
//
//   {"process": "redis-server", "pid": …, "live_bytes": …, "estimated": false,
//    "looked_seconds": …, "watched_callsites": …,
//    "trend": {"score": …, "reason": "…", "window_seconds": …,
//      "bytes_per_second": …, "exhaustion_seconds": …},
//    "suspects": [{"callsite": "…", "function": …, "module": …, "file": …,
//      "line": …, "state": "new", "live_bytes": …, "live_objects": …,
//      "allocations": …, "frees": …, "named_seconds_ago": …,
//      "evidence": [
//        {"kind": "growth", "reason": "…", "window_seconds": …,
//         "basis": "floors", "bytes_per_second": …, "objects_per_second": …,
//         "rise_bytes": …, "rise_objects": …, "rounds": …, "rounds_rose": …,
//         "score": …, "bytes_in_an_hour": …},
//        {"kind": "age", "reason": "…", "window_seconds": …, "allocated": …,
//         "freed": …, "kept_at_least": …, "older_than_seconds": …,
//         "older_objects_at_least": …, "older_bytes_at_least": …}],
//      "stack": [{"function", "module", "file", "line", "inlined"}, …]}, …]}
//
// "trend" has nothing but a score of 0 where nothing grows, and no
// "exhaustion_seconds" without a forecast.
#pragma once

#include <nlohmann/json.hpp>

#include "collector/leaks/process_leaks.h"
#include "collector/ledger/naming.h"

namespace heapledger::collector {

[[nodiscard]] nlohmann::ordered_json LeaksJson(const ProcessLeakView& leaks,
                                               FrameNames& names);

}  // namespace heapledger::collector
