// SPDX-License-Identifier: Apache-2.0
// Parts of JSON that the json format and the page have in common.
#pragma once

#include "collector/profile/json_writer.h"
#include "collector/profile/profile.h"

namespace heapledger::collector {

// {"live_bytes", "live_objects", "allocated_bytes", "allocations"}
void WriteValues(const ProfileValues& values, JsonWriter& json);

// An object: see WriteJson.
void WriteFacts(const ProfileFacts& facts, JsonWriter& json);

}  // namespace heapledger::collector
