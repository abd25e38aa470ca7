// SPDX-License-Identifier: Apache-2.0
// Two threads on one size class for some seconds: what one frees the other gets
// at once. Arguments: seconds, and "pinned" for both on one processor.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "site.h"

SITE(Contended)

static atomic_int g_stop;
static _Atomic(void*) g_slots[4];

static void* Play(void* unused) {
  unsigned turn = 0;
  while (!atomic_load_explicit(&g_stop, memory_order_relaxed)) {
    // Half through the allocator's own lists, half handed over.
    void* const own = Contended(40);
    free(own);
    void* const mine = Contended(40);
    free(atomic_exchange(&g_slots[++turn % 4], mine));
  }
  return unused;
}

int main(int argc, char** argv) {
  if (argc > 2 && strcmp(argv[2], "pinned") == 0) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) return 77;
  }
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i) pthread_create(&threads[i], NULL, Play, NULL);
  const struct timespec time = {argc > 1 ? atoi(argv[1]) : 3, 0};
  nanosleep(&time, NULL);
  atomic_store(&g_stop, 1);
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  for (int i = 0; i < 4; ++i) free(g_slots[i]);
  printf("Contended 0 0\n");
  fflush(stdout);
  return 0;
}
