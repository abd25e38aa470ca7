// SPDX-License-Identifier: Apache-2.0
// A library whose first constructor calls every entry point. Half of the blocks
// are freed there, the rest by its destructor.
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void* g_blocks[10];

__attribute__((constructor(101))) static void Early(void) {
  for (int round = 0; round < 2; ++round) {
    void** const blocks = g_blocks;
    for (int i = 0; i < 10; ++i) free(blocks[i]);
    blocks[0] = malloc(10);
    blocks[1] = calloc(3, 20);
    blocks[2] = realloc(malloc(30), 3000);
    blocks[3] = reallocarray(NULL, 4, 10);
    if (posix_memalign(&blocks[4], 1024, 50) != 0) abort();
    blocks[5] = aligned_alloc(64, 64);
    blocks[6] = memalign(2048, 70);
    blocks[7] = valloc(80);
    blocks[8] = pvalloc(90);
    blocks[9] = strdup("early");
    for (int i = 0; i < 10; ++i) {
      if (blocks[i] == NULL || malloc_usable_size(blocks[i]) < 6) abort();
    }
  }
}

__attribute__((destructor)) static void Late(void) {
  for (int i = 0; i < 10; ++i) free(g_blocks[i]);
}

// Something to link against.
int EarlyLibrary(void) { return g_blocks[0] != NULL; }
