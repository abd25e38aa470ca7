// SPDX-License-Identifier: Apache-2.0
// Leaked, or merely not given back? What most of a process' memory is, from
// what its pages are for.
//
// Pure. Thread safety: values.
#pragma once

#include <cstdint>
#include <string_view>

#include "collector/system/heap_pages.h"
#include "collector/system/process_memory.h"
#include "collector/system/smaps.h"

namespace heapledger::collector {

// Where the resident memory goes, in bytes; sum() is ProcessMemory::resident().
struct MemoryWaterfall {
  std::uint64_t live = 0;           // asked for and not freed
  std::uint64_t fragmentation = 0;  // the rest of the pages in which that lies
  std::uint64_t retained = 0;       // malloc's pages without a live block
  std::uint64_t ledger = 0;         // heapledger's own
  std::uint64_t stack = 0;
  std::uint64_t file = 0;
  std::uint64_t other = 0;  // mapped by the program itself, and its data

  [[nodiscard]] std::uint64_t heap() const {
    return live + fragmentation + retained;
  }
  [[nodiscard]] std::uint64_t sum() const {
    return heap() + ledger + stack + file + other;
  }
};

[[nodiscard]] MemoryWaterfall MakeWaterfall(const HeapPages& pages,
                                            const MappedAreas& areas,
                                            const ProcessMemory& memory);

enum class HeapVerdict {
  kSmall,       // too little to be worth a word
  kLive,        // live blocks: what a leak looks like
  kRetained,    // free memory that the allocator keeps: no leak
  kFragmented,  // free memory between live blocks: no leak, and no trim helps
  kMixed,       // none of these is half of it
  kElsewhere,   // most of the memory is not malloc's
};
// "live", "retained".
[[nodiscard]] std::string_view HeapVerdictWord(HeapVerdict verdict);

// Below this no verdict is given.
inline constexpr std::uint64_t kSmallHeapBytes = 1 << 20;

[[nodiscard]] HeapVerdict JudgeHeap(const MemoryWaterfall& waterfall);

}  // namespace heapledger::collector
