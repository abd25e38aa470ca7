// SPDX-License-Identifier: Apache-2.0
// The C allocation functions, as exported to the program: each passes the call
// on and lets it be recorded. A block is recorded after the real allocation and
// taken out before the real free, as its address may be reused at once.
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "preload/interpose.h"

namespace heapledger::preload {

[[gnu::cold, gnu::noinline]] bool RunningSlow() {
  if (CurrentGate() == Gate::kCold) Start(Cause::kAllocation);
  return CurrentGate() > Gate::kOff;
}

[[gnu::cold, gnu::noinline]] bool PassOnUnbooked(void* block) {
  if (g_bootstrap.Holds(block)) return false;
  if (CurrentGate() >= Gate::kAdaptive) CountForeignFree();
  return true;
}

namespace {

// An aligned allocation while nothing is booked.
template <typename Real>
void* AlignedUnbooked(size_t alignment, size_t bytes, Real* real) {
  if (g_real.malloc == nullptr) return BootstrapAllocate(bytes, alignment);
  return real(alignment, bytes);
}

// A block from before the start moves to the real allocator.
[[gnu::cold, gnu::noinline]] void* MoveFromBootstrap(void* block,
                                                     size_t bytes) {
  void* const moved = g_real.malloc == nullptr
                          ? BootstrapAllocate(bytes, alignof(max_align_t))
                          : g_real.malloc(g_real.Request(bytes));
  if (moved == nullptr) return nullptr;
  const size_t held = g_bootstrap.SizeOf(block);
  memcpy(moved, block, held < bytes ? held : bytes);
  return moved;
}

void* ReallocUnbooked(void* block, size_t bytes) {
  if (block != nullptr && g_bootstrap.Holds(block)) {
    return MoveFromBootstrap(block, bytes);
  }
  if (g_real.realloc == nullptr) {
    return BootstrapAllocate(bytes, alignof(max_align_t));
  }
  return g_real.realloc(block, bytes);
}

// realloc to no bytes frees (glibc) or gives a block of the smallest size,
// which may be too small to be told from its neighbour: exchanged then.
void* ReallocToZero(void* block) {
  void* const rest = g_real.realloc(block, 0);
  if (rest == nullptr || g_real.smallest_request == 0) return rest;
  void* const spaced = g_real.malloc(g_real.smallest_request);
  if (spaced == nullptr) return rest;
  g_real.free(rest);
  return spaced;
}

void* Reallocate(const unwind::Registers& caller, void* block, size_t bytes) {
  const BlockRecord old = TakeBlock(block);
  if (old.callsite == ledger::kNoCallsite && !PassOnUnbooked(block)) {
    void* const moved = MoveFromBootstrap(block, bytes);
    return moved == nullptr ? nullptr : Record(caller, moved, bytes);
  }
  void* const moved = bytes == 0 ? ReallocToZero(block)
                                 : g_real.realloc(block, g_real.Request(bytes));
  if (moved == nullptr && bytes != 0) {
    // Refused: the old block is untouched, and so is its account.
    if (old.callsite != ledger::kNoCallsite) PutBlockBack(block, old);
    return nullptr;
  }
  if (old.callsite != ledger::kNoCallsite) RecordFreed(block, old);
  return moved == nullptr ? nullptr : Record(caller, moved, bytes);
}

// malloc where every block is booked with its full stack: the path that its
// instructions are counted of. Reached by a jump, so that its caller is
// malloc's.
[[gnu::noinline]] void* MallocActive(size_t bytes) {
  void* const block = g_real.spaced_malloc(bytes);
  if (block == nullptr) [[unlikely]]
    return nullptr;
  return RecordAllocated(HEAPLEDGER_CALLER(), block, bytes);
}

// The same with another way to book, which is not inline.
template <void* (*kRecord)(const unwind::Registers&, void*, size_t)>
[[gnu::noinline]] void* MallocAndRecord(size_t bytes) {
  void* const block = g_real.spaced_malloc(bytes);
  if (block == nullptr) return nullptr;
  return kRecord(HEAPLEDGER_CALLER(), block, bytes);
}

[[gnu::noinline]] void* MallocSlowly(size_t bytes) {
  if (!Running()) [[unlikely]] {
    return g_real.malloc == nullptr
               ? BootstrapAllocate(bytes, alignof(max_align_t))
               : g_real.malloc(bytes);
  }
  HEAPLEDGER_RETURN_BOOKED(g_real.spaced_malloc(bytes), bytes);
}

[[gnu::noinline]] void* MallocOtherwise(size_t bytes) {
  if (CurrentGate() == Gate::kAdaptive) {
    return MallocAndRecord<RecordAdaptive>(bytes);
  }
  if (CurrentGate() != Gate::kSampling) return MallocSlowly(bytes);
  if (TakesSample(bytes)) [[unlikely]]
    return MallocAndRecord<RecordTaken>(bytes);
  return g_real.spaced_malloc(bytes);
}

// Takes and books a block that is about to be freed. False when nobody may free
// it.
bool TakeToFree(void* block) {
  if (!Running()) [[unlikely]] {
    return PassOnUnbooked(block);
  }
  const BlockRecord record = TakeBlock(block);
  if (record.callsite == ledger::kNoCallsite) return PassOnUnbooked(block);
  RecordFreed(block, record);
  return true;
}

[[gnu::noinline]] void FreeSlowly(void* block) {
  if (TakeToFree(block) && g_real.free != nullptr) g_real.free(block);
}

[[gnu::noinline]] void FreeOtherwise(void* block) {
  if (CurrentGate() != Gate::kSampling || MightBeSample(block)) {
    return FreeSlowly(block);
  }
  g_real.free(block);
}

}  // namespace
}  // namespace heapledger::preload

using heapledger::ledger::kServedMask;
using heapledger::preload::AlignedUnbooked;
using heapledger::preload::BootstrapAllocate;
using heapledger::preload::CurrentGate;
using heapledger::preload::FreeOtherwise;
using heapledger::preload::g_bootstrap;
using heapledger::preload::g_control;
using heapledger::preload::g_real;
using heapledger::preload::Gate;
using heapledger::preload::MallocActive;
using heapledger::preload::MallocOtherwise;
using heapledger::preload::Record;
using heapledger::preload::Running;
using heapledger::preload::TryTakeAndRecordFreed;

// Every way out of malloc and free is a jump: no stack frame where nothing is
// booked.
HEAPLEDGER_EXPORT void* malloc(size_t bytes) {
  const Gate gate = CurrentGate();
  if (gate == Gate::kActive) [[likely]]
    return MallocActive(bytes);
  if (gate == Gate::kDormant &&
      (g_control->load(std::memory_order_relaxed) & kServedMask) == 0) {
    return g_real.spaced_malloc(bytes);
  }
  return MallocOtherwise(bytes);
}

// Our malloc under a name that nothing can come before.
extern "C"
    __attribute__((alias("malloc"), copy(malloc), visibility("hidden"))) void*
    heapledger_own_malloc(size_t bytes) noexcept;

HEAPLEDGER_EXPORT void free(void* block) {
  if (block == nullptr) return;
  const Gate gate = CurrentGate();
  if (gate < Gate::kAdaptive) [[unlikely]] {
    if (gate == Gate::kDormant) return g_real.free(block);
    return FreeOtherwise(block);
  }
  if (!TryTakeAndRecordFreed(block)) [[unlikely]] {
    return FreeOtherwise(block);
  }
  g_real.free(block);
}

// Our free, likewise.
extern "C" __attribute__((alias("free"), copy(free), visibility("hidden"))) void
heapledger_own_free(void* block) noexcept;

// Removed from the headers, still in old binaries.
HEAPLEDGER_EXPORT void cfree(void* block) { free(block); }

HEAPLEDGER_EXPORT void* calloc(size_t count, size_t bytes) {
  size_t total;
  if (__builtin_mul_overflow(count, bytes, &total)) [[unlikely]] {
    errno = ENOMEM;
    return nullptr;
  }
  if (!Running()) [[unlikely]] {
    return g_real.malloc == nullptr
               ? BootstrapAllocate(total, alignof(max_align_t))
               : g_real.calloc(count, bytes);
  }
  HEAPLEDGER_RETURN_BOOKED(g_real.calloc(1, g_real.Request(total)), total);
}

HEAPLEDGER_EXPORT void* realloc(void* block, size_t bytes) {
  if (!Running()) [[unlikely]] {
    return heapledger::preload::ReallocUnbooked(block, bytes);
  }
  if (block == nullptr) {
    HEAPLEDGER_RETURN_BOOKED(g_real.realloc(nullptr, g_real.Request(bytes)),
                             bytes);
  }
  return heapledger::preload::Reallocate(HEAPLEDGER_CALLER(), block, bytes);
}

HEAPLEDGER_EXPORT void* reallocarray(void* block, size_t count, size_t bytes) {
  size_t total;
  if (__builtin_mul_overflow(count, bytes, &total)) [[unlikely]] {
    errno = ENOMEM;
    return nullptr;
  }
  if (!Running()) [[unlikely]] {
    return heapledger::preload::ReallocUnbooked(block, total);
  }
  if (block == nullptr) {
    HEAPLEDGER_RETURN_BOOKED(g_real.realloc(nullptr, g_real.Request(total)),
                             total);
  }
  return heapledger::preload::Reallocate(HEAPLEDGER_CALLER(), block, total);
}

HEAPLEDGER_EXPORT int posix_memalign(void** out, size_t alignment,
                                     size_t bytes) {
  if (!Running()) [[unlikely]] {
    if (g_real.malloc != nullptr) {
      return g_real.posix_memalign(out, alignment, bytes);
    }
    void* const block = BootstrapAllocate(bytes, alignment);
    if (block == nullptr) return ENOMEM;
    *out = block;
    return 0;
  }
  const int refused =
      g_real.posix_memalign(out, alignment, g_real.Request(bytes));
  if (refused == 0) Record(HEAPLEDGER_CALLER(), *out, bytes);
  return refused;
}

HEAPLEDGER_EXPORT void* aligned_alloc(size_t alignment, size_t bytes) {
  if (!Running()) [[unlikely]] {
    return AlignedUnbooked(alignment, bytes, g_real.aligned_alloc);
  }
  HEAPLEDGER_RETURN_BOOKED(
      g_real.aligned_alloc(alignment, g_real.Request(bytes)), bytes);
}

HEAPLEDGER_EXPORT void* memalign(size_t alignment, size_t bytes) {
  if (!Running()) [[unlikely]] {
    return AlignedUnbooked(alignment, bytes, g_real.memalign);
  }
  HEAPLEDGER_RETURN_BOOKED(g_real.memalign(alignment, g_real.Request(bytes)),
                           bytes);
}

HEAPLEDGER_EXPORT void* valloc(size_t bytes) {
  if (!Running()) [[unlikely]] {
    return g_real.malloc == nullptr ? BootstrapAllocate(bytes, 4096)
                                    : g_real.valloc(bytes);
  }
  HEAPLEDGER_RETURN_BOOKED(g_real.valloc(g_real.Request(bytes)), bytes);
}

HEAPLEDGER_EXPORT void* pvalloc(size_t bytes) {
  if (!Running()) [[unlikely]] {
    return g_real.malloc == nullptr ? BootstrapAllocate(bytes, 4096)
                                    : g_real.pvalloc(bytes);
  }
  HEAPLEDGER_RETURN_BOOKED(g_real.pvalloc(g_real.Request(bytes)), bytes);
}

HEAPLEDGER_EXPORT size_t malloc_usable_size(void* block) {
  if (block != nullptr && g_bootstrap.Holds(block)) [[unlikely]] {
    return g_bootstrap.SizeOf(block);
  }
  if (g_real.malloc_usable_size == nullptr) [[unlikely]] {
    (void)Running();
    if (g_real.malloc_usable_size == nullptr) return 0;
  }
  return g_real.malloc_usable_size(block);
}

// C23. The size is a hint that every allocator can do without; one that we
// raised would be a lie.
HEAPLEDGER_EXPORT void free_sized(void* block, size_t) { free(block); }

HEAPLEDGER_EXPORT void free_aligned_sized(void* block, size_t, size_t) {
  free(block);
}
