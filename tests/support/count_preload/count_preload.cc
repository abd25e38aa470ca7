// SPDX-License-Identifier: Apache-2.0
// An independent count to hold ledgers against: a preload that counts calls and
// requested bytes and knows nothing else. Loaded before the shim, it sees what
// the program asks for. Counts lie in a mapped file per process,
// COUNT_PRELOAD_DIR/<pid>.count: three 64-bit numbers, allocations, requested
// bytes, frees. A realloc counts as one of each, like in the ledger.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace {

struct Counts {
  std::atomic<std::uint64_t> allocations, bytes, frees;
};

Counts g_before_start;
Counts* g_counts = &g_before_start;

void* (*g_malloc)(std::size_t);
void* (*g_calloc)(std::size_t, std::size_t);
void* (*g_realloc)(void*, std::size_t);
void (*g_free)(void*);
int (*g_posix_memalign)(void**, std::size_t, std::size_t);
void* (*g_aligned_alloc)(std::size_t, std::size_t);
void* (*g_memalign)(std::size_t, std::size_t);

template <typename Function>
void Find(Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// All at once: a look-up within free() recurses when the program left a failed
// dlsym behind, whose message glibc then frees. malloc last, as it is what says
// that the rest is there.
void Resolve() {
  if (g_malloc != nullptr) return;
  Find(g_calloc, "calloc");
  Find(g_realloc, "realloc");
  Find(g_free, "free");
  Find(g_posix_memalign, "posix_memalign");
  Find(g_aligned_alloc, "aligned_alloc");
  Find(g_memalign, "memalign");
  Find(g_malloc, "malloc");
}

void OpenFile() {
  const char* const directory = getenv("COUNT_PRELOAD_DIR");
  if (directory == nullptr) return;
  char path[256];
  snprintf(path, sizeof path, "%s/%d.count", directory, getpid());
  const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, sizeof(Counts)) != 0) return;
  void* const at = mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE,
                        MAP_SHARED, file, 0);
  close(file);
  if (at == MAP_FAILED) return;
  auto* const counts = static_cast<Counts*>(at);
  // A new image or process counts anew, but for what came before this file.
  counts->allocations = g_before_start.allocations.load();
  counts->bytes = g_before_start.bytes.load();
  counts->frees = g_before_start.frees.load();
  g_counts = counts;
}

void AfterFork() {
  g_before_start.allocations = 0;
  g_before_start.bytes = 0;
  g_before_start.frees = 0;
  g_counts = &g_before_start;
  OpenFile();
}

__attribute__((constructor)) void OnLoad() {
  OpenFile();
  pthread_atfork(nullptr, nullptr, AfterFork);
}

void* Count(void* block, std::size_t bytes) {
  if (block != nullptr) {
    g_counts->allocations.fetch_add(1, std::memory_order_relaxed);
    g_counts->bytes.fetch_add(bytes, std::memory_order_relaxed);
  }
  return block;
}

void CountFree(const void* block) {
  if (block != nullptr) {
    g_counts->frees.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace

extern "C" {

void* malloc(std::size_t bytes) {
  Resolve();
  return Count(g_malloc(bytes), bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  Resolve();
  return Count(g_calloc(count, bytes), count * bytes);
}
void* realloc(void* block, std::size_t bytes) {
  Resolve();
  void* const moved = g_realloc(block, bytes);
  if (moved != nullptr || bytes == 0) CountFree(block);
  return Count(moved, bytes);
}
void free(void* block) {
  Resolve();
  CountFree(block);
  g_free(block);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) {
  Resolve();
  const int refused = g_posix_memalign(out, alignment, bytes);
  if (refused == 0) Count(*out, bytes);
  return refused;
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  Resolve();
  return Count(g_aligned_alloc(alignment, bytes), bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  Resolve();
  return Count(g_memalign(alignment, bytes), bytes);
}

// A program's operators come here, so that all of it is counted in one place.
void* _Znwm(std::size_t bytes) { return malloc(bytes == 0 ? 1 : bytes); }
void* _Znam(std::size_t bytes) { return malloc(bytes == 0 ? 1 : bytes); }
void* _ZnwmRKSt9nothrow_t(std::size_t bytes, const void*) {
  return malloc(bytes == 0 ? 1 : bytes);
}
void* _ZnamRKSt9nothrow_t(std::size_t bytes, const void*) {
  return malloc(bytes == 0 ? 1 : bytes);
}
void* _ZnwmSt11align_val_t(std::size_t bytes, std::size_t alignment) {
  return memalign(alignment, bytes);
}
void* _ZnamSt11align_val_t(std::size_t bytes, std::size_t alignment) {
  return memalign(alignment, bytes);
}
void _ZdlPv(void* block) { free(block); }
void _ZdaPv(void* block) { free(block); }
void _ZdlPvm(void* block, std::size_t) { free(block); }
void _ZdaPvm(void* block, std::size_t) { free(block); }
void _ZdlPvSt11align_val_t(void* block, std::size_t) { free(block); }
void _ZdaPvSt11align_val_t(void* block, std::size_t) { free(block); }
void _ZdlPvmSt11align_val_t(void* block, std::size_t, std::size_t) {
  free(block);
}
void _ZdaPvmSt11align_val_t(void* block, std::size_t, std::size_t) {
  free(block);
}

}  // extern "C"
