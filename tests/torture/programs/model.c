// SPDX-License-Identifier: Apache-2.0
// Random traffic with a known answer. Arguments: seed, threads, operations of
// each. Each thread has blocks of its own and may free those of others; every
// block belongs to the function that made it or reallocated it last. Prints
// what each function has live at the end.
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { kSites = 6, kSlots = 512, kThreads = 8 };

typedef struct {
  void* at;
  size_t bytes;
  int site;
} Block;

static Block g_blocks[kThreads][kSlots];
static atomic_long g_bytes[kSites];
static atomic_long g_objects[kSites];
static unsigned g_seed;
static unsigned long g_operations;
static atomic_int g_wrong;

// What a site does: how 0 malloc, 1 calloc, 2 memalign, 3 realloc.
static inline __attribute__((always_inline)) void* Make(int how, void* old,
                                                        size_t bytes) {
  void* block;
  if (how == 0) {
    block = malloc(bytes);
  } else if (how == 1) {
    block = calloc(1, bytes);
  } else if (how == 2) {
    block = memalign((size_t)16 << (bytes % 5), bytes);
  } else {
    block = realloc(old, bytes);
  }
  __asm__ volatile("" : "+r"(block) : : "memory");
  return block;
}

#define SITE(number)                                                  \
  __attribute__((noinline, noclone, used)) static void* Site##number( \
      int how, void* old, size_t bytes) {                             \
    void* block = Make(how, old, bytes);                              \
    __asm__ volatile("" : : "i"(number), "r"(block) : "memory");      \
    return block;                                                     \
  }
SITE(0)
SITE(1)
SITE(2)
SITE(3)
SITE(4)
SITE(5)

static void* (*const g_sites[kSites])(int, void*, size_t) = {
    Site0, Site1, Site2, Site3, Site4, Site5};

static uint32_t Random(uint64_t* state) {
  *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (uint32_t)(*state >> 33);
}

static size_t Size(uint64_t* state) {
  const uint32_t kind = Random(state) % 100;
  if (kind < 5) return 0;
  if (kind < 80) return Random(state) % 400;
  if (kind < 98) return Random(state) % 20000;
  return Random(state) % 600000;
}

static void Book(const Block* block, int sign) {
  atomic_fetch_add(&g_bytes[block->site], sign * (long)block->bytes);
  atomic_fetch_add(&g_objects[block->site], sign);
}

static void Reallocate(Block* block, int site, uint64_t* state) {
  size_t bytes = Size(state);
  if (Random(state) % 50 == 0) {
    volatile size_t huge = PTRDIFF_MAX;
    if (g_sites[site](3, block->at, huge + 1) != NULL)
      atomic_store(&g_wrong, 1);
    return;  // refused: nothing changed
  }
  if (bytes == 0) bytes = 1;
  Book(block, -1);
  block->at = g_sites[site](3, block->at, bytes);
  block->bytes = bytes;
  block->site = site;
  Book(block, 1);
}

static void* Run(void* argument) {
  const long self = (long)argument;
  uint64_t state = g_seed * 1000003ULL + (uint64_t)self * 7919 + 1;
  Block* const blocks = g_blocks[self];
  for (unsigned long i = 0; i < g_operations; ++i) {
    Block* const block = &blocks[Random(&state) % kSlots];
    const int site = (int)(Random(&state) % kSites);
    if (block->at == NULL) {
      block->bytes = Size(&state);
      block->site = site;
      block->at = g_sites[site]((int)(Random(&state) % 3), NULL, block->bytes);
      if (block->at == NULL) {
        atomic_store(&g_wrong, 1);
      } else {
        Book(block, 1);
      }
    } else if (Random(&state) % 3 == 0) {
      Reallocate(block, site, &state);
    } else {
      Book(block, -1);
      free(block->at);
      block->at = NULL;
    }
  }
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  g_seed = (unsigned)atoi(argv[1]);
  const long threads = atol(argv[2]);
  g_operations = strtoul(argv[3], NULL, 10);
  if (threads < 1 || threads > kThreads) return 2;
  // Two rounds: in the second a thread has the blocks of another one.
  for (int round = 0; round < 2; ++round) {
    pthread_t ids[kThreads];
    for (long i = 0; i < threads; ++i) {
      const long blocks = (i + round) % threads;
      pthread_create(&ids[i], NULL, Run, (void*)blocks);
    }
    for (long i = 0; i < threads; ++i) pthread_join(ids[i], NULL);
    g_seed += 17;
  }
  if (atomic_load(&g_wrong)) printf("went wrong\n");
  for (int i = 0; i < kSites; ++i) {
    printf("Site%d %ld %ld\n", i, atomic_load(&g_bytes[i]),
           atomic_load(&g_objects[i]));
  }
  fflush(stdout);
  return 0;
}
