// SPDX-License-Identifier: Apache-2.0
// An allocator that a signal handler may call: power-of-two classes, lock-free
// free lists with a tag against ABA. For tests that interrupt malloc.
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define EXPORT __attribute__((visibility("default")))

enum { kUnit = 32, kClasses = 40 };
static const size_t kArena = 16UL << 30;

static _Atomic(char*) g_arena;
static _Atomic uint64_t g_used;
static _Atomic uint64_t g_free[kClasses];  // tag in the high half, unit below

static char* Arena(void) {
  char* at = atomic_load(&g_arena);
  if (at != NULL) return at;
  char* const fresh = mmap(NULL, kArena, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (fresh == MAP_FAILED) return NULL;
  if (!atomic_compare_exchange_strong(&g_arena, &at, fresh)) {
    munmap(fresh, kArena);
    return at;
  }
  return fresh;
}

// A block has its class in the 32 bytes before it.
static void* Allocate(size_t bytes, size_t alignment) {
  char* const arena = Arena();
  if (arena == NULL || bytes > kArena / 4) {
    errno = ENOMEM;
    return NULL;
  }
  unsigned class = 0;
  while (((size_t)kUnit << class) < bytes) ++class;
  if (alignment <= kUnit) {
    uint64_t head = atomic_load(&g_free[class]);
    while ((uint32_t)head != 0) {
      char* const block = arena + (uint64_t)(uint32_t)head * kUnit;
      const uint64_t next = atomic_load((_Atomic uint32_t*)(void*)block) |
                            (((head >> 32) + 1) << 32);
      if (atomic_compare_exchange_weak(&g_free[class], &head, next)) {
        return block;
      }
    }
  }
  if (alignment < kUnit) alignment = kUnit;
  const size_t room = ((size_t)kUnit << class) + kUnit + alignment;
  uint64_t at = atomic_fetch_add(&g_used, room) + kUnit;
  at = (at + alignment - 1) & ~(uint64_t)(alignment - 1);
  if (at + ((size_t)kUnit << class) > kArena) return NULL;
  *(unsigned*)(void*)(arena + at - kUnit) = class;
  return arena + at;
}

static size_t Room(const void* block) {
  return (size_t)kUnit << *(const unsigned*)((const char*)block - kUnit);
}

EXPORT void* malloc(size_t bytes) { return Allocate(bytes, kUnit); }

EXPORT void free(void* block) {
  if (block == NULL) return;
  const unsigned class = *(const unsigned*)((const char*)block - kUnit);
  const uint32_t unit = (uint32_t)(((char*)block - Arena()) / kUnit);
  uint64_t head = atomic_load(&g_free[class]);
  do {
    atomic_store((_Atomic uint32_t*)block, (uint32_t)head);
  } while (!atomic_compare_exchange_weak(&g_free[class], &head,
                                         unit | (((head >> 32) + 1) << 32)));
}

EXPORT void* calloc(size_t count, size_t bytes) {
  size_t total;
  if (__builtin_mul_overflow(count, bytes, &total)) return NULL;
  void* const block = Allocate(total, kUnit);
  if (block != NULL) memset(block, 0, total);
  return block;
}

EXPORT void* realloc(void* block, size_t bytes) {
  if (block == NULL) return malloc(bytes);
  if (bytes == 0) {
    free(block);
    return NULL;
  }
  void* const moved = malloc(bytes);
  if (moved == NULL) return NULL;
  memcpy(moved, block, Room(block) < bytes ? Room(block) : bytes);
  free(block);
  return moved;
}

EXPORT void* memalign(size_t alignment, size_t bytes) {
  return Allocate(bytes, alignment);
}
EXPORT void* aligned_alloc(size_t alignment, size_t bytes) {
  return Allocate(bytes, alignment);
}
EXPORT int posix_memalign(void** out, size_t alignment, size_t bytes) {
  void* const block = Allocate(bytes, alignment);
  if (block == NULL) return ENOMEM;
  *out = block;
  return 0;
}
EXPORT void* valloc(size_t bytes) { return Allocate(bytes, 4096); }
EXPORT void* pvalloc(size_t bytes) {
  return Allocate((bytes + 4095) & ~4095UL, 4096);
}
EXPORT size_t malloc_usable_size(void* block) {
  return block == NULL ? 0 : Room(block);
}
