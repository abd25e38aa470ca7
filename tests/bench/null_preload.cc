// SPDX-License-Identifier: Apache-2.0
// The floor of any preload: an interposer that passes every call on and does
// nothing else. What a tool costs beyond this one is its own.
#include <dlfcn.h>

#include <cstddef>

namespace {

void* (*g_malloc)(std::size_t);
void* (*g_calloc)(std::size_t, std::size_t);
void* (*g_realloc)(void*, std::size_t);
void (*g_free)(void*);
int (*g_posix_memalign)(void**, std::size_t, std::size_t);
void* (*g_aligned_alloc)(std::size_t, std::size_t);
void* (*g_memalign)(std::size_t, std::size_t);
bool g_resolving;

template <typename Function>
void Find(Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// All at once, upon the first call, which is before any thread. A look-up that
// succeeds allocates nothing (glibc 2.34 and later); one that fails is told
// that there is no memory, which dlerror() copes with.
[[gnu::cold, gnu::noinline]] bool Resolve() {
  if (g_resolving) return false;
  g_resolving = true;
  Find(g_calloc, "calloc");
  Find(g_realloc, "realloc");
  Find(g_free, "free");
  Find(g_posix_memalign, "posix_memalign");
  Find(g_aligned_alloc, "aligned_alloc");
  Find(g_memalign, "memalign");
  Find(g_malloc, "malloc");
  g_resolving = false;
  return true;
}

template <typename Function>
bool Ready(Function* function) {
  return function != nullptr || Resolve();
}

}  // namespace

extern "C" {

void* malloc(std::size_t bytes) {
  return Ready(g_malloc) ? g_malloc(bytes) : nullptr;
}
void* calloc(std::size_t count, std::size_t bytes) {
  return Ready(g_calloc) ? g_calloc(count, bytes) : nullptr;
}
void* realloc(void* block, std::size_t bytes) {
  return Ready(g_realloc) ? g_realloc(block, bytes) : nullptr;
}
void free(void* block) {
  if (Ready(g_free)) g_free(block);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) {
  if (!Ready(g_posix_memalign)) return 12;  // ENOMEM
  return g_posix_memalign(out, alignment, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return Ready(g_aligned_alloc) ? g_aligned_alloc(alignment, bytes) : nullptr;
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  return Ready(g_memalign) ? g_memalign(alignment, bytes) : nullptr;
}

}  // extern "C"
