// SPDX-License-Identifier: Apache-2.0
#include "preload/heap_allocator.h"

#include <stddef.h>

#include "preload/real_malloc.h"

// As the allocators' own headers have them; each is there only where that
// allocator is.
extern "C" {
__attribute__((weak)) int malloc_trim(size_t pad);
struct heapledger_mallinfo2 {
  size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks,
      fordblks, keepcost;
};
__attribute__((weak)) heapledger_mallinfo2 mallinfo2();

__attribute__((weak)) int mallctl(const char* name, void* old,
                                  size_t* old_bytes, void* fresh,
                                  size_t fresh_bytes);

__attribute__((weak)) void MallocExtension_ReleaseFreeMemory();
__attribute__((weak)) void MallocExtension_MarkThreadTemporarilyIdle();
__attribute__((weak)) int MallocExtension_GetNumericProperty(
    const char* property, size_t* value);

__attribute__((weak)) void mi_collect(bool force);
__attribute__((weak)) void mi_process_info(size_t* elapsed_ms, size_t* user_ms,
                                           size_t* system_ms, size_t* resident,
                                           size_t* peak_resident,
                                           size_t* committed,
                                           size_t* peak_committed,
                                           size_t* page_faults);
}

namespace heapledger::preload {
namespace {

using ledger::Allocator;
using ledger::TrimResult;

template <typename Function>
bool BesideMalloc(Function* function) {
  return function != nullptr &&
         InSameObject(reinterpret_cast<const void*>(function),
                      reinterpret_cast<const void*>(g_real.malloc));
}

std::uint64_t Beyond(std::uint64_t whole, std::uint64_t part) {
  return whole > part ? whole - part : 0;
}

AllocatorFigures GlibcFigures() {
  if (mallinfo2 == nullptr) return {};
  const heapledger_mallinfo2 info = mallinfo2();
  return {info.arena + info.hblkhd, info.fordblks};
}

TrimResult TrimGlibc() {
  if (malloc_trim == nullptr) return TrimResult::kFailed;
  return malloc_trim(0) != 0 ? TrimResult::kReturned : TrimResult::kNothing;
}

size_t JemallocNumber(const char* name) {
  size_t value = 0;
  size_t bytes = sizeof value;
  return mallctl(name, &value, &bytes, nullptr, 0) == 0 ? value : 0;
}

AllocatorFigures JemallocFigures() {
  // Has it add its statistics up anew.
  std::uint64_t epoch = 1;
  size_t bytes = sizeof epoch;
  mallctl("epoch", &epoch, &bytes, &epoch, sizeof epoch);
  const size_t resident = JemallocNumber("stats.resident");
  return {resident, Beyond(resident, JemallocNumber("stats.allocated"))};
}

TrimResult TrimJemalloc() {
  mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
  // 4096 stands for all arenas (MALLCTL_ARENAS_ALL), since jemalloc 5.
  return mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0) == 0
             ? TrimResult::kDone
             : TrimResult::kFailed;
}

size_t TcmallocNumber(const char* name) {
  size_t value = 0;
  return MallocExtension_GetNumericProperty(name, &value) != 0 ? value : 0;
}

AllocatorFigures TcmallocFigures() {
  if (MallocExtension_GetNumericProperty == nullptr) return {};
  const std::uint64_t held =
      Beyond(TcmallocNumber("generic.heap_size"),
             TcmallocNumber("tcmalloc.pageheap_unmapped_bytes"));
  return {held,
          Beyond(held, TcmallocNumber("generic.current_allocated_bytes"))};
}

TrimResult TrimTcmalloc() {
  // Empties the calling thread's cache, whose blocks keep spans from being
  // free.
  if (MallocExtension_MarkThreadTemporarilyIdle != nullptr) {
    MallocExtension_MarkThreadTemporarilyIdle();
  }
  MallocExtension_ReleaseFreeMemory();
  return TrimResult::kDone;
}

AllocatorFigures MimallocFigures() {
  if (mi_process_info == nullptr) return {};
  size_t committed = 0;
  mi_process_info(nullptr, nullptr, nullptr, nullptr, nullptr, &committed,
                  nullptr, nullptr);
  return {committed, 0};
}

}  // namespace

Allocator FindAllocator() {
  if (BesideMalloc(mallctl)) return Allocator::kJemalloc;
  if (BesideMalloc(MallocExtension_ReleaseFreeMemory)) {
    return Allocator::kTcmalloc;
  }
  if (BesideMalloc(mi_collect)) return Allocator::kMimalloc;
  return g_real.smallest_request == 0 ? Allocator::kGlibc : Allocator::kUnknown;
}

AllocatorFigures ReadFigures(Allocator allocator) {
  switch (allocator) {
    case Allocator::kJemalloc:
      return JemallocFigures();
    case Allocator::kTcmalloc:
      return TcmallocFigures();
    case Allocator::kMimalloc:
      return MimallocFigures();
    case Allocator::kGlibc:
      return GlibcFigures();
    case Allocator::kUnknown:
      break;
  }
  return {};
}

TrimResult TrimAllocator(Allocator allocator) {
  switch (allocator) {
    case Allocator::kJemalloc:
      return TrimJemalloc();
    case Allocator::kTcmalloc:
      return TrimTcmalloc();
    case Allocator::kMimalloc:
      mi_collect(true);
      return TrimResult::kDone;
    case Allocator::kGlibc:
    case Allocator::kUnknown:
      break;
  }
  return TrimGlibc();
}

}  // namespace heapledger::preload
