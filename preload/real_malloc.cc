// SPDX-License-Identifier: Apache-2.0
#include "preload/real_malloc.h"

#include <dlfcn.h>

#include "preload/raw_io.h"

// A strong reference that nobody satisfies ends the program.
#pragma weak _dl_find_object

// Our own malloc, whatever the symbol of that name is bound to.
extern "C" __attribute__((visibility("hidden"))) void* heapledger_own_malloc(
    std::size_t bytes) noexcept;

// There only where a sanitizer's runtime is.
extern "C" {
__attribute__((weak)) void __asan_init();
__attribute__((weak)) void __tsan_init();
__attribute__((weak)) void __msan_init();
__attribute__((weak)) void __lsan_init();
__attribute__((weak)) void __hwasan_init();
}

namespace heapledger::preload {

constinit RealMalloc g_real;
constinit BootstrapPool g_bootstrap;

namespace {

template <typename Function>
void Find(Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

void* SpacedMalloc(std::size_t bytes) {
  return g_real.malloc(g_real.Request(bytes));
}

// The object that holds an address, by its load address; 0 where there is none.
std::uint64_t ObjectOf(const void* address) {
  dl_find_object found{};
  if (_dl_find_object(const_cast<void*>(address), &found) != 0) return 0;
  return reinterpret_cast<std::uint64_t>(found.dlfo_map_start);
}

}  // namespace

bool RealMalloc::Resolve() {
  // malloc last: it being set is what says that the rest is.
  Find(calloc, "calloc");
  Find(realloc, "realloc");
  Find(free, "free");
  Find(posix_memalign, "posix_memalign");
  Find(aligned_alloc, "aligned_alloc");
  Find(memalign, "memalign");
  Find(valloc, "valloc");
  Find(pvalloc, "pvalloc");
  Find(malloc_usable_size, "malloc_usable_size");
  Find(malloc, "malloc");
  if (malloc == nullptr || free == nullptr || calloc == nullptr ||
      realloc == nullptr) {
    return false;
  }
  // glibc's own malloc is the one beside gnu_get_libc_version().
  const void* const libc = dlsym(RTLD_NEXT, "gnu_get_libc_version");
  const bool glibc = LibcIsKnown() &&
                     InSameObject(libc, reinterpret_cast<const void*>(malloc));
  smallest_request = glibc ? 0 : 32;
  spaced_malloc = glibc ? malloc : SpacedMalloc;
  return true;
}

bool LibcIsKnown() { return &_dl_find_object != nullptr; }

bool InSameObject(const void* a, const void* b) {
  const std::uint64_t object = ObjectOf(a);
  return object != 0 && object == ObjectOf(b);
}

Interposition FindInterposition() {
  if (&__asan_init != nullptr || &__tsan_init != nullptr ||
      &__msan_init != nullptr || &__lsan_init != nullptr ||
      &__hwasan_init != nullptr) {
    return Interposition::kSanitizer;
  }
  return dlsym(RTLD_DEFAULT, "malloc") ==
                 reinterpret_cast<void*>(&heapledger_own_malloc)
             ? Interposition::kOurs
             : Interposition::kOwnAllocator;
}

void* BootstrapAllocate(std::size_t bytes, std::size_t alignment) {
  if (void* const block = g_bootstrap.Take(bytes, alignment)) return block;
  void* const extra = raw::MapPrivate(BootstrapPool::kExtraBytes);
  if (extra == nullptr) return nullptr;
  if (!g_bootstrap.Extend(extra)) {
    raw::Unmap(extra, BootstrapPool::kExtraBytes);
  }
  return g_bootstrap.Take(bytes, alignment);
}

}  // namespace heapledger::preload
