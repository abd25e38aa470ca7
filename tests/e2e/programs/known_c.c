// SPDX-License-Identifier: Apache-2.0
// Allocates in every way that C has and prints what is live at the end:
// "function bytes objects". Each function's own blocks only.
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline, noclone, used))

static void *kept[4096];
static int kept_count;

static void keep(void *block) { kept[kept_count++] = block; }

NOINLINE void by_malloc(void) {
  for (int i = 0; i < 10; ++i) keep(malloc(100));
  for (int i = 0; i < 1000; ++i) free(malloc(i));
}

NOINLINE void by_zero(void) {
  keep(malloc(0));
  keep(calloc(0, 8));
}

NOINLINE void by_calloc(void) {
  for (int i = 1; i <= 5; ++i) keep(calloc(i, 24));
}

NOINLINE void by_realloc(void) {
  // Grows from nothing, by steps in place and by moves, across every way in
  // which a size is stored; shrinks; ends at 4000.
  char *block = NULL;
  for (size_t size = 1; size < 3000000; size = size * 3 / 2 + 1) {
    block = realloc(block, size);
    memset(block, 1, size);
  }
  block = realloc(block, 300);
  block = realloc(block, 4000);
  keep(block);
  // To zero: freed by glibc.
  block = malloc(77);
  block = realloc(block, 0);
  if (block != NULL) free(block);
  // Refused: untouched.
  block = malloc(55);
  volatile size_t huge = (size_t)-1 / 2;
  if (realloc(block, huge) != NULL) abort();
  keep(block);
}

NOINLINE void by_reallocarray(void) {
  void *block = reallocarray(NULL, 7, 11);
  block = reallocarray(block, 70, 11);
  keep(block);
  volatile size_t huge = (size_t)-1;
  if (reallocarray(NULL, huge, 2) != NULL) abort();
}

NOINLINE void by_alignment(void) {
  void *block = NULL;
  if (posix_memalign(&block, 64, 1000) != 0) abort();
  keep(block);
  if (posix_memalign(&block, 3, 1000) == 0) abort();
  keep(aligned_alloc(4096, 8192));
  keep(memalign(1 << 20, 33));
  keep(valloc(10));
  keep(pvalloc(4096));
}

NOINLINE void by_strdup(void) {
  keep(strdup("twelve bytes"));  // 13 with its end
}

NOINLINE void by_large(void) {
  keep(malloc((size_t)64 << 20));
  keep(malloc((size_t)5 << 30));  // touched by nobody
}

NOINLINE void by_recursion(int depth) {
  if (depth == 0) {
    keep(malloc(321));
    return;
  }
  by_recursion(depth - 1);
  __asm__ volatile("");
}

int main(void) {
  by_malloc();
  by_zero();
  by_calloc();
  by_realloc();
  by_reallocarray();
  by_alignment();
  by_strdup();
  by_large();
  by_recursion(1);
  by_recursion(40);
  by_recursion(1);
  printf("by_malloc 1000 10\n");
  printf("by_zero 0 2\n");
  printf("by_calloc 360 5\n");
  printf("by_realloc 4055 2\n");
  printf("by_reallocarray 770 1\n");
  printf("by_alignment %d 5\n", 1000 + 8192 + 33 + 10 + 4096);
  printf("by_strdup 13 1\n");
  printf("by_large %zu 2\n", ((size_t)64 << 20) + ((size_t)5 << 30));
  printf("by_recursion 963 3\n");
  fflush(stdout);
  return 0;
}
