// SPDX-License-Identifier: Apache-2.0
// A preload as others write them: wraps malloc, calloc, realloc, free, mmap and
// open, and looks the next ones up with dlsym on first use.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

static __thread int t_inside;
static char g_early[65536] __attribute__((aligned(16)));
static size_t g_early_used;

static void* Next(void** known, const char* name) {
  if (*known == NULL && !t_inside) {
    t_inside = 1;
    *known = dlsym(RTLD_NEXT, name);
    t_inside = 0;
  }
  return *known;
}

static void* Early(size_t bytes) {
  void* const block = g_early + g_early_used;
  g_early_used += (bytes + 31) & ~(size_t)31;
  return block;
}

static int IsEarly(const void* block) {
  return (const char*)block >= g_early &&
         (const char*)block < g_early + sizeof g_early;
}

void* malloc(size_t bytes) {
  static void* next;
  void* (*const real)(size_t) = Next(&next, "malloc");
  return real == NULL ? Early(bytes) : real(bytes);
}

void* calloc(size_t count, size_t bytes) {
  static void* next;
  void* (*const real)(size_t, size_t) = Next(&next, "calloc");
  return real == NULL ? Early(count * bytes) : real(count, bytes);
}

void* realloc(void* block, size_t bytes) {
  static void* next;
  void* (*const real)(void*, size_t) = Next(&next, "realloc");
  if (real != NULL && !IsEarly(block)) return real(block, bytes);
  void* const moved = malloc(bytes);
  if (block != NULL && moved != NULL) memcpy(moved, block, bytes);
  return moved;
}

void free(void* block) {
  static void* next;
  if (IsEarly(block)) return;
  void (*const real)(void*) = Next(&next, "free");
  if (real != NULL) real(block);
}

void* mmap(void* at, size_t bytes, int protection, int flags, int file,
           off_t offset) {
  static void* next;
  void* (*const real)(void*, size_t, int, int, int, off_t) =
      Next(&next, "mmap");
  free(malloc(10));
  return real == NULL ? MAP_FAILED
                      : real(at, bytes, protection, flags, file, offset);
}

int open(const char* path, int flags, ...) {
  static void* next;
  va_list rest;
  va_start(rest, flags);
  const unsigned mode = va_arg(rest, unsigned);
  va_end(rest);
  int (*const real)(const char*, int, ...) = Next(&next, "open");
  free(malloc(20));
  return real == NULL ? -1 : real(path, flags, mode);
}
