// SPDX-License-Identifier: Apache-2.0
// Age as evidence of a leak, as far as counters can tell it. They know how many
// blocks a callsite allocated and freed within a window, not which: so these
// are bounds, and exact only where none was freed. They never make a suspect,
// as all of a program's lasting memory is old; they say more of one.
//
//   still live of those allocated in the window >= allocated - freed
//   live and older than w                       >= live - allocated in w
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "collector/leaks/floor_history.h"

namespace heapledger::collector {

struct AgeEvidence {
  std::uint64_t window_ns = 0;
  std::uint64_t allocated_objects = 0;  // within the window
  std::uint64_t freed_objects = 0;      // within the window, of any age
  // Of those allocated within the window: live still, at least.
  std::uint64_t kept_objects = 0;
  // At least so many blocks and bytes are older than this part of the window.
  std::uint64_t older_than_ns = 0;
  std::uint64_t older_objects = 0;
  std::uint64_t older_bytes = 0;
};

// From counters at the ends of a window and in its middle. None where the
// bounds say little: where fewer than nine in ten of the blocks must have
// stayed, or less than a quarter of what is live must be older.
[[nodiscard]] std::optional<AgeEvidence> AgeBetween(
    const HeapCounters& begin, const HeapCounters& middle,
    const HeapCounters& end, std::uint64_t window_ns,
    std::uint64_t since_middle_ns);

// Over the finished buckets of a tier.
[[nodiscard]] std::optional<AgeEvidence> AgeOf(const FloorHistory& history,
                                               std::size_t tier);

}  // namespace heapledger::collector
