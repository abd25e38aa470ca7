// SPDX-License-Identifier: Apache-2.0
#include "collector/system/heap_verdict.h"

#include <algorithm>

namespace heapledger::collector {
namespace {

// Takes at most `wanted` out of `left`: figures of different moments must not
// add up to more than there is.
std::uint64_t Take(std::uint64_t wanted, std::uint64_t& left) {
  const std::uint64_t taken = std::min(wanted, left);
  left -= taken;
  return taken;
}

}  // namespace

MemoryWaterfall MakeWaterfall(const HeapPages& pages, const MappedAreas& areas,
                              const ProcessMemory& memory) {
  MemoryWaterfall waterfall;
  std::uint64_t backed = memory.file + memory.shmem;
  waterfall.ledger = Take(areas.ledger_file, backed);
  waterfall.file = backed;
  std::uint64_t anonymous = memory.anonymous;
  waterfall.ledger += Take(areas.shim, anonymous);
  waterfall.stack = Take(areas.stacks, anonymous);
  waterfall.live = Take(pages.live_bytes, anonymous);
  waterfall.fragmentation = Take(pages.fragmentation(), anonymous);
  waterfall.retained = Take(pages.returnable, anonymous);
  waterfall.other = anonymous;
  return waterfall;
}

std::string_view HeapVerdictWord(HeapVerdict verdict) {
  switch (verdict) {
    case HeapVerdict::kSmall:
      return "small";
    case HeapVerdict::kLive:
      return "live";
    case HeapVerdict::kRetained:
      return "retained";
    case HeapVerdict::kFragmented:
      return "fragmented";
    case HeapVerdict::kMixed:
      return "mixed";
    case HeapVerdict::kElsewhere:
      break;
  }
  return "elsewhere";
}

HeapVerdict JudgeHeap(const MemoryWaterfall& waterfall) {
  const std::uint64_t heap = waterfall.heap();
  const std::uint64_t program = heap + waterfall.other + waterfall.stack;
  if (program < kSmallHeapBytes) return HeapVerdict::kSmall;
  if (heap < program / 2) return HeapVerdict::kElsewhere;
  if (waterfall.live >= heap / 2) return HeapVerdict::kLive;
  if (waterfall.retained >= heap / 2) return HeapVerdict::kRetained;
  if (waterfall.fragmentation >= heap / 2) return HeapVerdict::kFragmented;
  return HeapVerdict::kMixed;
}

}  // namespace heapledger::collector
