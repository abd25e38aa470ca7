// SPDX-License-Identifier: Apache-2.0
// The outcome of a trim as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

// result, asked_by, at, duration_seconds, returned_bytes, and for the resident
// bytes and the allocator's own account what there was before and after.
[[nodiscard]] nlohmann::ordered_json TrimJson(const TrimFacts& trim);

}  // namespace heapledger::collector::cli
