// SPDX-License-Identifier: Apache-2.0
// What a scan needs of the target's memory. Production reads it in place
// (preload/scan_memory.h); unit tests give arrays.
#pragma once

#include <concepts>
#include <cstdint>

namespace heapledger::preload::scan {

// Load: one aligned word; false where it cannot be read.
// ForEachWord: calls visit(word) for every whole aligned word of
//   [begin, end) that can be read and may hold anything but zeros.
// TimeIsUp: whether the scan must be given up.
template <typename Memory>
concept ScanMemory = requires(Memory memory, std::uint64_t address,
                              std::uint64_t* word,
                              void (*visit)(std::uint64_t)) {
  { memory.Load(address, word) } -> std::same_as<bool>;
  memory.ForEachWord(address, address, visit);
  { memory.TimeIsUp() } -> std::same_as<bool>;
};

}  // namespace heapledger::preload::scan
