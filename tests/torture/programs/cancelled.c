// SPDX-License-Identifier: Apache-2.0
// Threads that are cancelled at any instruction of malloc and free; to be run
// over signal_safe_malloc.c. In C, as a C++ compiler takes it for granted that
// nothing unwinds out of them. Prints what is live at the end.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include "site.h"

SITE(Temporary)
SITE(Kept)
SITE(InCleanup)

enum { kThreads = 300 };

static atomic_int g_cleanups;
static atomic_int g_ready;

static void Cleanup(void* unused) {
  (void)unused;
  free(InCleanup(64));
  atomic_fetch_add(&g_cleanups, 1);
}

static void* Endless(void* unused) {
  pthread_cleanup_push(Cleanup, NULL);
  atomic_store(&g_ready, 1);
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  for (;;) free(Temporary(40));
  pthread_cleanup_pop(0);
  return unused;
}

int main(void) {
  for (int i = 0; i < kThreads; ++i) {
    atomic_store(&g_ready, 0);
    pthread_t thread;
    if (pthread_create(&thread, NULL, Endless, NULL) != 0) return 4;
    while (!atomic_load(&g_ready)) sched_yield();
    for (int spin = 0; spin < i * 100; ++spin) __asm__ volatile("");
    pthread_cancel(thread);
    void* result = NULL;
    pthread_join(thread, &result);
    if (result != PTHREAD_CANCELED) return 5;
  }
  for (int i = 0; i < 10; ++i) (void)Kept(30);
  printf("cleanups: %d\n", atomic_load(&g_cleanups));
  printf("InCleanup 0 0\nKept 300 10\n");
  fflush(stdout);
  return 0;
}
