// SPDX-License-Identifier: Apache-2.0
// A server that makes and drops small blocks all the time, from many stacks,
// and leaks one every half second. All of them come from the same two
// functions, whose names say nothing. Argument: seconds.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noclone, used))
#define KEEP_FRAME __asm__ volatile("" ::: "memory")

NOINLINE void* xmalloc(size_t size) {
  void* const block = malloc(size);
  if (block == NULL) abort();
  return block;
}

NOINLINE void* make_node(size_t size) {
  int* const node = xmalloc(size);
  node[0] = 1;
  return node;
}

static volatile unsigned g_sink;
static unsigned g_random = 1;

NOINLINE static void Expression(int depth);

NOINLINE static void Term(int depth) {
  Expression(depth - 1);
  KEEP_FRAME;
}

NOINLINE static void Factor(int depth) {
  Expression(depth - 1);
  KEEP_FRAME;
}

NOINLINE static void Expression(int depth) {
  if (depth == 0) {
    // About as much work as half a million blocks a second leave time for.
    int* const node = make_node(24 + g_random % 64);
    for (int i = 0; i < 1500; ++i) g_sink += (unsigned)i;
    free(node);
    return;
  }
  g_random = g_random * 1664525 + 1013904223;
  if (g_random & 0x10000) {
    Term(depth);
  } else {
    Factor(depth);
  }
  KEEP_FRAME;
}

NOINLINE static void* session_new(void) {
  void* const session = make_node(72);
  KEEP_FRAME;
  return session;
}

NOINLINE static void planted_leak(void) {
  (void)session_new();
  KEEP_FRAME;
}

NOINLINE static void handle_login(void) {
  planted_leak();
  KEEP_FRAME;
}

NOINLINE static void serve(double seconds) {
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  double next = 0.5;
  for (;;) {
    for (int i = 0; i < 200; ++i) Expression(9);
    clock_gettime(CLOCK_MONOTONIC, &now);
    const double elapsed = (double)(now.tv_sec - start.tv_sec) +
                           (double)(now.tv_nsec - start.tv_nsec) / 1e9;
    if (elapsed >= seconds) return;
    if (elapsed >= next) {
      next += 0.5;
      handle_login();
    }
  }
}

int main(int argc, char** argv) {
  serve(argc > 1 ? atof(argv[1]) : 60);
  return 0;
}
