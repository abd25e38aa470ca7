// SPDX-License-Identifier: Apache-2.0
// The C allocation functions, as exported to the program: each passes the call
// on and lets it be recorded. A block is recorded after the real allocation and
// taken out before the real free, as its address may be reused at once.
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "preload/interpose.h"

namespace heapledger::preload {

[[gnu::cold, gnu::noinline]] bool BookingSlow() {
  if (CurrentGate() == Gate::kCold) Start(Cause::kAllocation);
  return CurrentGate() == Gate::kActive;
}

[[gnu::cold, gnu::noinline]] bool PassOnUnbooked(void* block) {
  if (g_bootstrap.Holds(block)) return false;
  if (CurrentGate() == Gate::kActive) CountForeignFree();
  return true;
}

namespace {

// Passes on an allocation and books it; `real` takes the raised size.
template <typename Real>
inline void* Allocate(const unwind::Registers& caller, size_t bytes,
                      Real&& real) {
  void* const block = real(g_real.Request(bytes));
  if (block != nullptr) [[likely]]
    RecordAllocated(caller, block, bytes);
  return block;
}

// An aligned allocation while nothing is booked.
template <typename Real>
void* AlignedUnbooked(size_t alignment, size_t bytes, Real* real) {
  if (g_real.malloc == nullptr) return BootstrapAllocate(bytes, alignment);
  return real(alignment, bytes);
}

// A block that was never booked: ours from before the start, or foreign.
[[gnu::cold, gnu::noinline]] void FreeUnbooked(void* block) {
  if (PassOnUnbooked(block) && g_real.free != nullptr) g_real.free(block);
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
  if (old.callsite == ledger::kNoCallsite) {
    if (g_bootstrap.Holds(block)) {
      void* const moved = MoveFromBootstrap(block, bytes);
      if (moved != nullptr) RecordAllocated(caller, moved, bytes);
      return moved;
    }
    CountForeignFree();
  }
  void* const moved = bytes == 0 ? ReallocToZero(block)
                                 : g_real.realloc(block, g_real.Request(bytes));
  if (moved == nullptr && bytes != 0) {
    // Refused: the old block is untouched, and so is its account.
    if (old.callsite != ledger::kNoCallsite) PutBlockBack(block, old);
    return nullptr;
  }
  if (old.callsite != ledger::kNoCallsite) RecordFreed(old);
  if (moved != nullptr) RecordAllocated(caller, moved, bytes);
  return moved;
}

}  // namespace
}  // namespace heapledger::preload

using heapledger::preload::AlignedUnbooked;
using heapledger::preload::Allocate;
using heapledger::preload::Booking;
using heapledger::preload::BootstrapAllocate;
using heapledger::preload::FreeUnbooked;
using heapledger::preload::g_bootstrap;
using heapledger::preload::g_real;
using heapledger::preload::RecordAllocated;
using heapledger::preload::RecordFreed;

HEAPLEDGER_EXPORT void* malloc(size_t bytes) {
  if (!Booking()) [[unlikely]] {
    return g_real.malloc == nullptr
               ? BootstrapAllocate(bytes, alignof(max_align_t))
               : g_real.malloc(bytes);
  }
  return Allocate(HEAPLEDGER_CALLER(), bytes,
                  [](size_t request) { return g_real.malloc(request); });
}

// Our malloc under a name that nothing can come before.
extern "C"
    __attribute__((alias("malloc"), copy(malloc), visibility("hidden"))) void*
    heapledger_own_malloc(size_t bytes) noexcept;

HEAPLEDGER_EXPORT void free(void* block) {
  if (block == nullptr) return;
  if (!Booking() || !RecordFreed(block)) [[unlikely]] {
    return FreeUnbooked(block);
  }
  g_real.free(block);
}

// Removed from the headers, still in old binaries.
HEAPLEDGER_EXPORT void cfree(void* block) { free(block); }

HEAPLEDGER_EXPORT void* calloc(size_t count, size_t bytes) {
  size_t total;
  if (__builtin_mul_overflow(count, bytes, &total)) [[unlikely]] {
    errno = ENOMEM;
    return nullptr;
  }
  if (!Booking()) [[unlikely]] {
    return g_real.malloc == nullptr
               ? BootstrapAllocate(total, alignof(max_align_t))
               : g_real.calloc(count, bytes);
  }
  return Allocate(HEAPLEDGER_CALLER(), total,
                  [](size_t request) { return g_real.calloc(1, request); });
}

HEAPLEDGER_EXPORT void* realloc(void* block, size_t bytes) {
  if (!Booking()) [[unlikely]] {
    return heapledger::preload::ReallocUnbooked(block, bytes);
  }
  if (block == nullptr) {
    return Allocate(HEAPLEDGER_CALLER(), bytes, [](size_t request) {
      return g_real.realloc(nullptr, request);
    });
  }
  return heapledger::preload::Reallocate(HEAPLEDGER_CALLER(), block, bytes);
}

HEAPLEDGER_EXPORT void* reallocarray(void* block, size_t count, size_t bytes) {
  size_t total;
  if (__builtin_mul_overflow(count, bytes, &total)) [[unlikely]] {
    errno = ENOMEM;
    return nullptr;
  }
  if (!Booking()) [[unlikely]] {
    return heapledger::preload::ReallocUnbooked(block, total);
  }
  if (block == nullptr) {
    return Allocate(HEAPLEDGER_CALLER(), total, [](size_t request) {
      return g_real.realloc(nullptr, request);
    });
  }
  return heapledger::preload::Reallocate(HEAPLEDGER_CALLER(), block, total);
}

HEAPLEDGER_EXPORT int posix_memalign(void** out, size_t alignment,
                                     size_t bytes) {
  if (!Booking()) [[unlikely]] {
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
  if (refused == 0) RecordAllocated(HEAPLEDGER_CALLER(), *out, bytes);
  return refused;
}

HEAPLEDGER_EXPORT void* aligned_alloc(size_t alignment, size_t bytes) {
  if (!Booking()) [[unlikely]] {
    return AlignedUnbooked(alignment, bytes, g_real.aligned_alloc);
  }
  return Allocate(HEAPLEDGER_CALLER(), bytes, [alignment](size_t request) {
    return g_real.aligned_alloc(alignment, request);
  });
}

HEAPLEDGER_EXPORT void* memalign(size_t alignment, size_t bytes) {
  if (!Booking()) [[unlikely]] {
    return AlignedUnbooked(alignment, bytes, g_real.memalign);
  }
  return Allocate(HEAPLEDGER_CALLER(), bytes, [alignment](size_t request) {
    return g_real.memalign(alignment, request);
  });
}

HEAPLEDGER_EXPORT void* valloc(size_t bytes) {
  if (!Booking()) [[unlikely]] {
    return g_real.malloc == nullptr ? BootstrapAllocate(bytes, 4096)
                                    : g_real.valloc(bytes);
  }
  return Allocate(HEAPLEDGER_CALLER(), bytes,
                  [](size_t request) { return g_real.valloc(request); });
}

HEAPLEDGER_EXPORT void* pvalloc(size_t bytes) {
  if (!Booking()) [[unlikely]] {
    return g_real.malloc == nullptr ? BootstrapAllocate(bytes, 4096)
                                    : g_real.pvalloc(bytes);
  }
  return Allocate(HEAPLEDGER_CALLER(), bytes,
                  [](size_t request) { return g_real.pvalloc(request); });
}

HEAPLEDGER_EXPORT size_t malloc_usable_size(void* block) {
  if (block != nullptr && g_bootstrap.Holds(block)) [[unlikely]] {
    return g_bootstrap.SizeOf(block);
  }
  if (g_real.malloc_usable_size == nullptr) [[unlikely]] {
    (void)Booking();
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
