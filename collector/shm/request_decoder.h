// SPDX-License-Identifier: Apache-2.0
// From a ledger's header page to what it says of trims and of pressure.
#pragma once

#include <cstdint>

#include "collector/shm/mapped_ledger.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

// Fills allocator, trim and pressure. Values that this build does not know
// become kUnknown, or kNotAsked.
void DecodeRequests(const Words& header, LedgerSnapshot& snapshot);

[[nodiscard]] PressureLevel PressureLevelOf(std::uint64_t value);

}  // namespace heapledger::collector
