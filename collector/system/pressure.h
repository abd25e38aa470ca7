// SPDX-License-Identifier: Apache-2.0
// Pressure stall information of memory: the time for which tasks waited for it
// (Documentation/accounting/psi.rst).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace heapledger::collector {

// Since boot, or since the cgroup was made.
struct MemoryPressure {
  std::uint64_t some_us = 0;  // at least one task waited
  std::uint64_t full_us = 0;  // no task could run for it
};

// None where either line is missing: the kernel has it off.
[[nodiscard]] std::optional<MemoryPressure> ParsePressure(
    std::string_view text);

}  // namespace heapledger::collector
