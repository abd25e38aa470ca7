// SPDX-License-Identifier: Apache-2.0
// A running program for scans of it: a heap of so many MiB that is reachable by
// one table, threads that move its pointers about all the time, and 1,000
// blocks of 64 bytes that nothing points to. Tells its own worst stall on
// request.
//
//   live_scan MIB THREADS [moving|resting] [losses]
//
// A line on standard input: "stall" prints the longest time, in microseconds,
// that a thread which does nothing but look at the clock was held up since the
// last such line; the end of input ends it.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kHops = 8 };

struct Block {
  struct Block* next;
  uint64_t payload[];
};

static struct Block** g_table;
static size_t g_slots;
static size_t g_share;  // of the table, for one thread
static volatile int g_moving;
static uint64_t g_worst_ns;

static uint64_t Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t Random(uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  return *state ^= *state << 17;
}

__attribute__((noinline)) static struct Block* Kept(size_t bytes) {
  struct Block* const block = malloc(bytes);
  if (block == NULL) abort();
  memset(block, 0, bytes);
  return block;
}

__attribute__((noinline)) static void Lost(void) {
  void* volatile block = malloc(64);
  block = NULL;
  (void)block;
}

__attribute__((noinline)) static void Lose(int count) {
  for (int i = 0; i < count; ++i) Lost();
}

// Takes blocks out of its part of the table, holds them in registers and on its
// stack for a while, and puts them back elsewhere, new ones among them.
static void* Move(void* argument) {
  const size_t first = (size_t)(uintptr_t)argument * g_share;
  uint64_t state = 88172645463325252u + first;
  struct Block* hand[kHops];
  while (g_moving) {
    for (int i = 0; i < kHops; ++i) {
      struct Block** const slot = &g_table[first + Random(&state) % g_share];
      hand[i] = *slot;
      *slot = NULL;
    }
    for (int i = 0; i < kHops; ++i) {
      struct Block** const slot = &g_table[first + Random(&state) % g_share];
      struct Block* block = hand[i];
      if (block == NULL) block = Kept(sizeof *block + 8 * (Random(&state) % 8));
      if (*slot != NULL) {
        // Two in one place: one behind the other.
        struct Block* last = block;
        while (last->next != NULL) last = last->next;
        last->next = *slot;
      }
      *slot = block;
      // Lists grow no longer than that.
      int length = 0;
      for (struct Block* at = block; at != NULL; at = at->next) {
        if (++length < 6 || at->next == NULL) continue;
        struct Block* rest = at->next;
        at->next = NULL;
        while (rest != NULL) {
          struct Block* const next = rest->next;
          free(rest);
          rest = next;
        }
      }
    }
  }
  return NULL;
}

static void* WatchTheClock(void* unused) {
  uint64_t before = Now();
  while (g_moving) {
    const uint64_t now = Now();
    if (now - before > __atomic_load_n(&g_worst_ns, __ATOMIC_RELAXED)) {
      __atomic_store_n(&g_worst_ns, now - before, __ATOMIC_RELAXED);
    }
    before = now;
  }
  return unused;
}

// Past libc.
static void RunByKernel(char* name) {
  char* const arguments[] = {name, "1", "1", "resting", NULL};
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(SYS_execve), "D"("/proc/self/exe"), "S"(arguments),
                     "d"(environ)
                   : "rcx", "r11", "memory");
  abort();
}

// A forked child that allocates and ends in order; its status.
static int Fork(void) {
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 1000; ++i) free(Kept(24 + (size_t)i));
    exit(0);
  }
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

int main(int argc, char** argv) {
  const size_t bytes = (size_t)atoi(argv[1]) << 20;
  const int threads = atoi(argv[2]);
  const int moving = argc <= 3 || strcmp(argv[3], "moving") == 0;
  const int losses = argc <= 4 ? 1000 : atoi(argv[4]);
  uint64_t state = 1;
  g_slots = bytes / 400 / (size_t)threads * (size_t)threads;
  g_share = g_slots / (size_t)threads;
  g_table = calloc(g_slots, sizeof *g_table);
  for (size_t i = 0; i < g_slots; ++i) {
    g_table[i] = Kept(sizeof(struct Block) + 8 * (Random(&state) % 100));
  }
  Lose(losses);
  g_moving = 1;
  pthread_t ids[64];
  for (int i = 0; moving && i < threads; ++i) {
    pthread_create(&ids[i], NULL, Move, (void*)(uintptr_t)i);
  }
  pthread_t clock_watch;
  pthread_create(&clock_watch, NULL, WatchTheClock, NULL);
  printf("ready\n");
  fflush(stdout);
  char line[64];
  // The control word is read where memory is allocated.
  for (;;) {
    struct pollfd input = {.fd = 0, .events = POLLIN};
    free(Kept(24));
    // A scan may interrupt it.
    if (poll(&input, 1, 5) <= 0) continue;
    const ssize_t got = read(0, line, sizeof line);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    if (line[0] == 'e') {
      execl("/proc/self/exe", argv[0], "1", "1", "resting", (char*)NULL);
      abort();
    }
    if (line[0] == 'r') RunByKernel(argv[0]);
    if (line[0] == 'f') {
      printf("%d\n", Fork());
      fflush(stdout);
      continue;
    }
    printf("%llu\n",
           (unsigned long long)(__atomic_exchange_n(&g_worst_ns, 0,
                                                    __ATOMIC_RELAXED) /
                                1000));
    fflush(stdout);
  }
  g_moving = 0;
  for (int i = 0; moving && i < threads; ++i) pthread_join(ids[i], NULL);
  pthread_join(clock_watch, NULL);
  return 0;
}
