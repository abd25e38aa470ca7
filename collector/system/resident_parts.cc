// SPDX-License-Identifier: Apache-2.0
#include "collector/system/resident_parts.h"

#include <algorithm>

namespace heapledger::collector {
namespace {

// Takes at most `wanted` out of `left`.
std::uint64_t Take(std::uint64_t wanted, std::uint64_t& left) {
  const std::uint64_t taken = std::min(wanted, left);
  left -= taken;
  return taken;
}

std::uint64_t Above(std::uint64_t value, std::uint64_t floor) {
  return value > floor ? value - floor : 0;
}

}  // namespace

ResidentParts SplitResident(const ProcessMemory& memory,
                            const MappedAreas& areas, const HeapFigures& heap) {
  ResidentParts parts;
  std::uint64_t backed = memory.file + memory.shmem;
  parts.ledger = Take(areas.ledger_file, backed);
  parts.file = backed;
  std::uint64_t anonymous = memory.anonymous;
  parts.ledger += Take(areas.shim, anonymous);
  parts.stack = Take(areas.stacks, anonymous);
  if (!heap.glibc_malloc) {
    parts.live = Take(heap.live_bytes, anonymous);
    parts.other = anonymous;
    return parts;
  }
  parts.other = Take(areas.rest, anonymous);
  std::uint64_t area = anonymous;
  // What does not fit malloc's areas was mapped by itself, and lies in the
  // rest.
  const std::uint64_t mapped =
      Take(std::max(Above(heap.live_bytes + heap.overhead_bytes, area),
                    heap.mapped_live_bytes),
           parts.other);
  parts.live = Take(Above(heap.live_bytes, mapped), area) +
               std::min(mapped, heap.live_bytes);
  parts.allocator_metadata =
      Take(heap.overhead_bytes, area) + Above(mapped, heap.live_bytes);
  parts.allocator_retained = area;
  parts.heap_mapped = std::max(areas.heap_mapped, anonymous) + mapped;
  return parts;
}

std::uint64_t MallocOverhead(std::uint64_t bytes, std::uint64_t objects) {
  if (objects == 0) return 0;
  // A chunk is a header of 8 bytes and the block, a multiple of 16 and at least
  // 32.
  constexpr std::uint64_t kHeader = 8, kRound = 16, kSmallest = 32;
  const std::uint64_t mean = bytes / objects;
  if (mean > kAlwaysMappedBytes) return 0;
  const std::uint64_t chunk =
      std::max((mean + kHeader + kRound - 1) / kRound * kRound, kSmallest);
  return objects * (chunk - mean);
}

}  // namespace heapledger::collector
