// SPDX-License-Identifier: Apache-2.0
// The operators new behind us, for what they alone can do: the new-handler and
// bad_alloc. All else we do as libstdc++'s operators do, by malloc and free. So
// it is over allocators that bring operators of their own (jemalloc, tcmalloc,
// mimalloc), as these have one heap for both.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapledger::preload {

// Index 0: the single object's operator; 1: the array's. The plain array's is
// the single one's in every C++ runtime.
struct RealNew {
  using New = void* (*)(std::size_t);
  using NewNothrow = void* (*)(std::size_t, const void*);
  using NewAligned = void* (*)(std::size_t, std::size_t);
  using NewAlignedNothrow = void* (*)(std::size_t, std::size_t, const void*);

  New plain = nullptr;
  NewNothrow nothrow[2] = {};
  NewAligned aligned[2] = {};
  NewAlignedNothrow aligned_nothrow[2] = {};

  void Resolve();
};

[[gnu::visibility("hidden")]] extern RealNew g_real_new;

// The throwing operator new that code at `pc` would get without us; for when
// memory is out. Null when there is none to be found.
RealNew::New FindThrowingNew(std::uint64_t pc);

}  // namespace heapledger::preload
