// SPDX-License-Identifier: Apache-2.0
// An executable that brings the whole family: nothing comes to anybody else.
// With "wait" it ends when stdin does.
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static char g_memory[1 << 20] __attribute__((aligned(64)));
static size_t g_used;

void* memalign(size_t alignment, size_t bytes) {
  if (alignment < 16) alignment = 16;
  g_used = (g_used + alignment - 1) & ~(alignment - 1);
  if (g_used + bytes > sizeof g_memory) return NULL;
  void* const block = g_memory + g_used;
  g_used += bytes;
  return block;
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  return memalign(alignment, bytes);
}
int posix_memalign(void** out, size_t alignment, size_t bytes) {
  *out = memalign(alignment, bytes);
  return *out == NULL ? 12 : 0;
}
void* valloc(size_t bytes) { return memalign(4096, bytes); }
void* pvalloc(size_t bytes) { return memalign(4096, bytes); }
void* malloc(size_t bytes) { return memalign(16, bytes); }
void* calloc(size_t count, size_t bytes) { return malloc(count * bytes); }
void* realloc(void* block, size_t bytes) {
  void* const moved = malloc(bytes);
  if (block != NULL && moved != NULL) memcpy(moved, block, bytes);
  return moved;
}
void free(void* block) { (void)block; }
size_t malloc_usable_size(void* block) { return block == NULL ? 0 : 1; }

int main(int argc, char** argv) {
  for (int i = 0; i < 10; ++i) {
    if (malloc(100) == NULL) return 1;
  }
  printf("own\n");
  fflush(stdout);
  while (argc > 1 && strcmp(argv[1], "wait") == 0 && getchar() != EOF) {
  }
  return 0;
}
