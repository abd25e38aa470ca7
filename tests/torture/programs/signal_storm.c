// SPDX-License-Identifier: Apache-2.0
// A timer at 5 kHz whose handler allocates while the program allocates. To be
// run over an allocator that a handler may call (signal_safe_malloc.c).
// Arguments: "stack" or "altstack", then "return" or "jump": whether the
// handler comes back or leaves by siglongjmp from wherever it interrupted.
// Prints what is live at the end.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "site.h"

SITE(Main)
SITE(HandlerTemp)
SITE(HandlerKept)
SITE(Afterwards)

enum { kKept = 3000, kJumps = 2000 };

static sigjmp_buf g_back;
static int g_jump;
static volatile sig_atomic_t g_armed;
static volatile sig_atomic_t g_signals;
static volatile sig_atomic_t g_kept_count;
static void* g_kept[kKept];

static void Handler(int signal) {
  (void)signal;
  void* blocks[4];
  for (int i = 0; i < 4; ++i) {
    blocks[i] = HandlerTemp((size_t)(g_signals % 400) + (size_t)i);
  }
  for (int i = 0; i < 4; ++i) free(blocks[i]);
  if (g_kept_count < kKept) {
    g_kept[g_kept_count] = HandlerKept(88);
    g_kept_count = g_kept_count + 1;
  }
  g_signals = g_signals + 1;
  if (g_jump && g_armed) siglongjmp(g_back, 1);
}

static double Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

__attribute__((noinline)) static void Churn(unsigned seed) {
  void* slots[32] = {0};
  for (unsigned i = 0; i < 300; ++i) {
    seed = seed * 1664525 + 1013904223;
    void** const slot = &slots[(seed >> 8) % 32];
    free(*slot);
    *slot = NULL;
    *slot = Main(seed >> 22);
  }
  for (int i = 0; i < 32; ++i) free(slots[i]);
}

// Deeper and shallower, so that jumps cut stacks of all lengths.
__attribute__((noinline)) static void Nest(int depth, unsigned seed) {
  if (depth == 0) {
    Churn(seed);
  } else {
    Nest(depth - 1, seed);
  }
  __asm__ volatile("" : : : "memory");
}

static void RunJumping(double until) {
  volatile unsigned seed = 1;
  volatile int jumps = 0;
  while (Now() < until && jumps < kJumps) {
    if (sigsetjmp(g_back, 1) != 0) {
      jumps = jumps + 1;
      continue;
    }
    g_armed = 1;
    for (;;) {
      seed = seed + 1;
      Nest((int)(seed % 24), seed);
      if (jumps == 0 && Now() >= until) break;
    }
    g_armed = 0;
  }
  g_armed = 0;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  static char stack[64 * 1024];
  g_jump = strcmp(argv[2], "jump") == 0;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = Handler;
  if (strcmp(argv[1], "altstack") == 0) {
    const stack_t area = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&area, NULL);
    action.sa_flags = SA_ONSTACK;
  }
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {{0, 200}, {0, 200}};
  setitimer(ITIMER_REAL, &timer, NULL);
  const double until = Now() + 2.0;
  if (g_jump) {
    RunJumping(until);
  } else {
    for (unsigned seed = 1; Now() < until; ++seed) {
      Nest((int)(seed % 24), seed);
    }
  }
  timer.it_value.tv_usec = 0;
  timer.it_interval.tv_usec = 0;
  setitimer(ITIMER_REAL, &timer, NULL);
  if (g_signals < 500) printf("only %d signals\n", (int)g_signals);
  // From here on all is known again.
  for (int i = 0; i < g_kept_count - 5; ++i) free(g_kept[i]);
  for (unsigned i = 0; i < 20000; ++i) free(Afterwards(i % 600));
  for (int i = 0; i < 10; ++i) (void)Afterwards(24);
  printf("HandlerKept %d 5\nHandlerTemp 0 0\nAfterwards 240 10\n", 5 * 88);
  if (!g_jump) printf("Main 0 0\n");
  fflush(stdout);
  return 0;
}
