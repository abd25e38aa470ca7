// SPDX-License-Identifier: Apache-2.0
// The operators new and delete behind us. Most are libstdc++'s, which only call
// malloc and free: there we do the same without them and leave them what they
// alone can do, the new-handler and bad_alloc. Some allocators (jemalloc,
// tcmalloc, mimalloc) bring their own that go past malloc: those are called.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapledger::preload {

// Index 0: the single object's operator; 1: the array's.
struct RealNew {
  using New = void* (*)(std::size_t);
  using NewNothrow = void* (*)(std::size_t, const void*);
  using NewAligned = void* (*)(std::size_t, std::size_t);
  using NewAlignedNothrow = void* (*)(std::size_t, std::size_t, const void*);
  using Delete = void (*)(void*);
  using DeleteAligned = void (*)(void*, std::size_t);

  New plain[2] = {};
  NewNothrow nothrow[2] = {};
  NewAligned aligned[2] = {};
  NewAlignedNothrow aligned_nothrow[2] = {};
  Delete remove[2] = {};
  DeleteAligned remove_aligned[2] = {};

  // The operators live beside the real malloc: they are the allocator's own.
  bool own = false;

  // REQUIRES: g_real is resolved.
  void Resolve();
};

[[gnu::visibility("hidden")]] extern RealNew g_real_new;

// The throwing operator new that code at `pc` would get without us; for when
// memory is out. Null when there is none to be found.
RealNew::New FindThrowingNew(std::uint64_t pc);

}  // namespace heapledger::preload
