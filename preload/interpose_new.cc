// SPDX-License-Identifier: Apache-2.0
// operator new and delete in all their forms, under their ABI names, as this
// library has no C++ runtime. An allocation here has its caller as innermost
// frame, without the operator in between.
#include <stddef.h>
#include <stdlib.h>

#include "preload/interpose.h"
#include "preload/real_new.h"

namespace heapledger::preload {
namespace {

// Which of two operators. The real ones are only asked where memory is out, for
// their handler: all else goes to the real malloc and free, also over an
// allocator that has operators, as those call its malloc and free in turn,
// which would come here once more.
enum Form { kSingle = 0, kArray = 1 };

// Memory is out: the C++ library's operator calls the new-handler and throws.
[[gnu::cold, gnu::noinline]] void* NewOrThrow(std::uint64_t pc, size_t bytes) {
  if (const RealNew::New real = FindThrowingNew(pc)) return real(bytes);
  abort();  // what an uncaught bad_alloc comes to
}

inline void* Booked(const unwind::Registers& caller, void* block,
                    size_t bytes) {
  if (block == nullptr || !Running()) [[unlikely]]
    return block;
  return Record(caller, block, bytes);
}

inline void* RawAllocate(size_t bytes) {
  if (!Running() && g_real.malloc == nullptr) [[unlikely]] {
    return BootstrapAllocate(bytes, alignof(max_align_t));
  }
  // As libstdc++ does: two objects of no size have different addresses.
  return g_real.malloc(g_real.Request(bytes == 0 ? 1 : bytes));
}

// The same as malloc's, but that it throws. Reached by a jump.
[[gnu::noinline]] void* NewActive(size_t bytes) {
  void* const block = g_real.malloc(g_real.Request(bytes == 0 ? 1 : bytes));
  if (block == nullptr) [[unlikely]] {
    return NewOrThrow(HEAPLEDGER_CALLER().pc, bytes);
  }
  return RecordAllocated(HEAPLEDGER_CALLER(), block, bytes);
}

[[gnu::noinline]] void* NewOtherwise(size_t bytes) {
  void* const block = RawAllocate(bytes);
  if (block == nullptr) [[unlikely]] {
    return NewOrThrow(HEAPLEDGER_CALLER().pc, bytes);
  }
  return Booked(HEAPLEDGER_CALLER(), block, bytes);
}

inline void* New(size_t bytes) {
  if (CurrentGate() == Gate::kActive) [[likely]] {
    return NewActive(bytes);
  }
  if (CurrentGate() == Gate::kSampling && bytes != 0 && !TakesSample(bytes)) {
    if (void* const block = g_real.spaced_malloc(bytes)) return block;
  }
  return NewOtherwise(bytes);
}

inline void* NewNothrow(Form form, const unwind::Registers& caller,
                        size_t bytes, const void* tag) {
  void* const block = RawAllocate(bytes);
  if (block == nullptr && g_real_new.nothrow[form] != nullptr) {
    return g_real_new.nothrow[form](bytes, tag);  // runs the new-handler
  }
  return Booked(caller, block, bytes);
}

inline void* RawAligned(size_t bytes, size_t alignment) {
  if (!Running() && g_real.malloc == nullptr) [[unlikely]] {
    return BootstrapAllocate(bytes, alignment);
  }
  if (alignment < sizeof(void*)) alignment = sizeof(void*);
  return g_real.memalign(alignment, g_real.Request(bytes == 0 ? 1 : bytes));
}

inline void* NewAligned(Form form, const unwind::Registers& caller,
                        size_t bytes, size_t alignment) {
  void* const block = RawAligned(bytes, alignment);
  if (block == nullptr && g_real_new.aligned[form] != nullptr) {
    return g_real_new.aligned[form](bytes, alignment);
  }
  if (block == nullptr) [[unlikely]]
    return NewOrThrow(caller.pc, bytes);
  return Booked(caller, block, bytes);
}

inline void* NewAlignedNothrow(Form form, const unwind::Registers& caller,
                               size_t bytes, size_t alignment,
                               const void* tag) {
  const RealNew::NewAlignedNothrow real = g_real_new.aligned_nothrow[form];
  void* const block = RawAligned(bytes, alignment);
  if (block == nullptr && real != nullptr) return real(bytes, alignment, tag);
  return Booked(caller, block, bytes);
}

// All forms: size and alignment are hints that an allocator can do without,
// and a size that was raised would be a lie.
inline void Delete(void* block) { heapledger_own_free(block); }

}  // namespace
}  // namespace heapledger::preload

using heapledger::preload::Delete;
using heapledger::preload::kArray;
using heapledger::preload::kSingle;
using heapledger::preload::New;
using heapledger::preload::NewAligned;
using heapledger::preload::NewAlignedNothrow;
using heapledger::preload::NewNothrow;

HEAPLEDGER_EXPORT void* _Znwm(size_t bytes) { return New(bytes); }
HEAPLEDGER_EXPORT void* _Znam(size_t bytes) { return New(bytes); }
HEAPLEDGER_EXPORT void* _ZnwmRKSt9nothrow_t(size_t bytes, const void* tag) {
  return NewNothrow(kSingle, HEAPLEDGER_CALLER(), bytes, tag);
}
HEAPLEDGER_EXPORT void* _ZnamRKSt9nothrow_t(size_t bytes, const void* tag) {
  return NewNothrow(kArray, HEAPLEDGER_CALLER(), bytes, tag);
}
HEAPLEDGER_EXPORT void* _ZnwmSt11align_val_t(size_t bytes, size_t alignment) {
  return NewAligned(kSingle, HEAPLEDGER_CALLER(), bytes, alignment);
}
HEAPLEDGER_EXPORT void* _ZnamSt11align_val_t(size_t bytes, size_t alignment) {
  return NewAligned(kArray, HEAPLEDGER_CALLER(), bytes, alignment);
}
HEAPLEDGER_EXPORT void* _ZnwmSt11align_val_tRKSt9nothrow_t(size_t bytes,
                                                           size_t alignment,
                                                           const void* tag) {
  return NewAlignedNothrow(kSingle, HEAPLEDGER_CALLER(), bytes, alignment, tag);
}
HEAPLEDGER_EXPORT void* _ZnamSt11align_val_tRKSt9nothrow_t(size_t bytes,
                                                           size_t alignment,
                                                           const void* tag) {
  return NewAlignedNothrow(kArray, HEAPLEDGER_CALLER(), bytes, alignment, tag);
}

HEAPLEDGER_EXPORT void _ZdlPv(void* block) { Delete(block); }
HEAPLEDGER_EXPORT void _ZdaPv(void* block) { Delete(block); }
HEAPLEDGER_EXPORT void _ZdlPvRKSt9nothrow_t(void* block, const void*) {
  Delete(block);
}
HEAPLEDGER_EXPORT void _ZdaPvRKSt9nothrow_t(void* block, const void*) {
  Delete(block);
}
HEAPLEDGER_EXPORT void _ZdlPvm(void* block, size_t) { Delete(block); }
HEAPLEDGER_EXPORT void _ZdaPvm(void* block, size_t) { Delete(block); }
HEAPLEDGER_EXPORT void _ZdlPvSt11align_val_t(void* block, size_t) {
  Delete(block);
}
HEAPLEDGER_EXPORT void _ZdaPvSt11align_val_t(void* block, size_t) {
  Delete(block);
}
HEAPLEDGER_EXPORT void _ZdlPvSt11align_val_tRKSt9nothrow_t(void* block, size_t,
                                                           const void*) {
  Delete(block);
}
HEAPLEDGER_EXPORT void _ZdaPvSt11align_val_tRKSt9nothrow_t(void* block, size_t,
                                                           const void*) {
  Delete(block);
}
HEAPLEDGER_EXPORT void _ZdlPvmSt11align_val_t(void* block, size_t, size_t) {
  Delete(block);
}
HEAPLEDGER_EXPORT void _ZdaPvmSt11align_val_t(void* block, size_t, size_t) {
  Delete(block);
}
