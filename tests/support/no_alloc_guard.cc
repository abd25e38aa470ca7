// SPDX-License-Identifier: Apache-2.0
#include "tests/support/no_alloc_guard.h"

#include <unistd.h>

#include <cstddef>
#include <cstdlib>

namespace heapledger::testing {

void NoAllocGuard::Check() {
  if (depth_ == 0) return;
  constexpr char kWords[] = "NoAllocGuard: allocation in a guarded scope\n";
  (void)!write(2, kWords, sizeof kWords - 1);
  abort();
}

}  // namespace heapledger::testing

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

extern "C" {

void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);

void* malloc(std::size_t bytes) {
  heapledger::testing::NoAllocGuard::Check();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  heapledger::testing::NoAllocGuard::Check();
  return __libc_calloc(count, bytes);
}
void* realloc(void* block, std::size_t bytes) {
  heapledger::testing::NoAllocGuard::Check();
  return __libc_realloc(block, bytes);
}

}  // extern "C"

#endif
