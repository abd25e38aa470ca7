// SPDX-License-Identifier: Apache-2.0
// Threads that allocate, check and free, and one that forks children which do
// the same, for so many milliseconds. What it says at the end of what it keeps
// is exact; a block with another's contents ends it.
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kThreads = 6, kBlocks = 512 };

static atomic_int g_end;
static void* g_kept[kThreads];

static int64_t Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((noinline)) void* Keep(size_t bytes) {
  char* const block = malloc(bytes);
  block[0] = 1;  // not the last thing it does, so its frame is on the stack
  return block;
}

static void Churn(uint64_t seed, int rounds) {
  unsigned char* blocks[kBlocks] = {0};
  size_t sizes[kBlocks] = {0};
  for (int round = 0; round < rounds && !g_end; ++round) {
    for (int i = 0; i < kBlocks; ++i) {
      seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
      const size_t at = (seed >> 33) % kBlocks;
      if (blocks[at] != NULL) {
        if (blocks[at][0] != (unsigned char)at ||
            blocks[at][sizes[at] - 1] != (unsigned char)at) {
          abort();
        }
        free(blocks[at]);
        blocks[at] = NULL;
        continue;
      }
      sizes[at] = 1 + (seed >> 45) % (i % 64 == 0 ? 200000 : 2000);
      errno = 4711;
      blocks[at] = malloc(sizes[at]);
      if (blocks[at] == NULL || errno != 4711) abort();
      memset(blocks[at], (int)at, sizes[at]);
    }
  }
  for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
}

static void* Work(void* argument) {
  const uintptr_t number = (uintptr_t)argument;
  while (!g_end) Churn(number + 1, 100);
  g_kept[number] = Keep(1000);
  return NULL;
}

static void* Fork(void* argument) {
  while (!g_end) {
    const pid_t child = fork();
    if (child == 0) {
      Churn(7, 3);
      _exit(42);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) abort();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 42) abort();
  }
  return argument;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  pthread_t threads[kThreads + 1];
  for (uintptr_t i = 0; i < kThreads; ++i) {
    pthread_create(&threads[i], NULL, Work, (void*)i);
  }
  pthread_create(&threads[kThreads], NULL, Fork, NULL);
  // This thread is the one that allocates whatever happens.
  const int64_t end = Now() + atol(argv[1]);
  while (Now() < end) {
    free(malloc(100));
    usleep(1000);
  }
  g_end = 1;
  for (int i = 0; i <= kThreads; ++i) pthread_join(threads[i], NULL);
  printf("Keep %d %d\n", kThreads * 1000, kThreads);
  return 0;
}
