// SPDX-License-Identifier: Apache-2.0
// Where the resident memory of a process under the shim goes: its ledger knows
// what is live, a walk over its pages what lies where, its status how much
// there is. The parts add up to the resident memory, to the byte.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "collector/system/process_memory.h"
#include "collector/system/smaps.h"

namespace heapledger::collector {

// What the ledger of a process says that the page tables do not.
struct HeapFigures {
  std::string ledger_file{};  // its name, without directories
  std::uint64_t live_bytes = 0;
  // What malloc takes for live blocks beyond what was asked for: headers and
  // rounding, estimated from the mean block of each callsite.
  std::uint64_t overhead_bytes = 0;
  // The part of live_bytes in blocks that malloc maps one by one for sure.
  std::uint64_t mapped_live_bytes = 0;
  bool glibc_malloc = false;  // else areas of malloc cannot be told
};

// In bytes. A walk is up to a minute old: what came since counts as malloc's.
struct ResidentParts {
  std::uint64_t live = 0;
  // None over another malloc than glibc's; then both are in `other`.
  std::optional<std::uint64_t> allocator_retained;
  std::optional<std::uint64_t> allocator_metadata;
  std::uint64_t ledger = 0;
  std::uint64_t stack = 0;
  std::uint64_t file = 0;
  std::uint64_t other = 0;
  // Address space of malloc's areas and of the blocks it mapped; glibc only.
  std::optional<std::uint64_t> heap_mapped;

  [[nodiscard]] std::uint64_t sum() const {
    return live + allocator_retained.value_or(0) +
           allocator_metadata.value_or(0) + ledger + stack + file + other;
  }
  // Of live blocks and what malloc has beside them.
  [[nodiscard]] std::optional<std::uint64_t> heap_resident() const {
    if (!allocator_retained || !allocator_metadata) return std::nullopt;
    return live + *allocator_retained + *allocator_metadata;
  }
};

// sum() of the result is memory.resident(), whatever the arguments say.
[[nodiscard]] ResidentParts SplitResident(const ProcessMemory& memory,
                                          const MappedAreas& areas,
                                          const HeapFigures& heap);

// Overhead of glibc's malloc for `objects` blocks of `bytes` in all.
[[nodiscard]] std::uint64_t MallocOverhead(std::uint64_t bytes,
                                           std::uint64_t objects);

// A block of this size or more is always mapped by itself:
// DEFAULT_MMAP_THRESHOLD_MAX of glibc on 64 bits. Below, it depends on what was
// freed before.
inline constexpr std::uint64_t kAlwaysMappedBytes = 32 << 20;

}  // namespace heapledger::collector
