// SPDX-License-Identifier: Apache-2.0
// The allocator behind us: the next definition of each function, whichever
// library it is in (glibc, or a preloaded or linked jemalloc, tcmalloc,
// mimalloc).
#pragma once

#include <cstddef>

#include "preload/core/bootstrap_pool.h"

namespace heapledger::preload {

struct RealMalloc {
  void* (*malloc)(std::size_t) = nullptr;
  void* (*calloc)(std::size_t, std::size_t) = nullptr;
  void* (*realloc)(void*, std::size_t) = nullptr;
  void (*free)(void*) = nullptr;
  int (*posix_memalign)(void**, std::size_t, std::size_t) = nullptr;
  void* (*aligned_alloc)(std::size_t, std::size_t) = nullptr;
  void* (*memalign)(std::size_t, std::size_t) = nullptr;
  void* (*valloc)(std::size_t) = nullptr;
  void* (*pvalloc)(std::size_t) = nullptr;
  std::size_t (*malloc_usable_size)(void*) = nullptr;

  // Requests are raised to this, so that blocks start 32 bytes apart (see
  // core/object_map.h). 0 over glibc, whose smallest chunk has that size.
  std::size_t smallest_request = 0;

  // malloc with that seen to: for where a call is passed on by a jump.
  void* (*spaced_malloc)(std::size_t) = nullptr;

  // Looks every function up. Calls dlsym, which may call our malloc. False when
  // there is no malloc to go to.
  //
  // Only names that exist are looked up, here and elsewhere: a look-up that
  // fails leaves an error behind that glibc frees within somebody's next dl
  // call, and a preload that looks up `free` at its first free then recurses
  // for ever.
  bool Resolve();

  std::size_t Request(std::size_t bytes) const {
    return bytes < smallest_request ? smallest_request : bytes;
  }
};

// Whether libc is a glibc that has what the shim leans on. Another one (musl
// takes our need of libc.so.6 for itself) loads us all the same, as what it
// lacks is bound weakly; nothing is done then.
bool LibcIsKnown();

// Whether two addresses lie in one loaded object.
bool InSameObject(const void* a, const void* b);

// Whether calls of malloc in this process come to us at all.
enum class Interposition { kOurs, kOwnAllocator, kSanitizer };
Interposition FindInterposition();

[[gnu::visibility("hidden")]] extern RealMalloc g_real;
[[gnu::visibility("hidden")]] extern BootstrapPool g_bootstrap;

// Serves a call that arrives before `g_real` is known; zeroed, never null but
// for absurd sizes.
void* BootstrapAllocate(std::size_t bytes, std::size_t alignment);

}  // namespace heapledger::preload
