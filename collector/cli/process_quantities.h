// SPDX-License-Identifier: Apache-2.0
// What a baseline is made of, of one process as of now.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "collector/baseline/quantity.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

// Reads status, the descriptors' directory and meminfo under `proc_root`. What
// cannot be read is left out; none of a process that is gone.
[[nodiscard]] std::optional<baseline::Sample> QuantitiesOf(
    std::uint32_t pid, const std::string& proc_root = "/proc");

// The heap's part, from a ledger; nothing of one that was never armed.
void AddHeap(const LedgerSnapshot& snapshot, baseline::Sample& sample);

}  // namespace heapledger::collector::cli
