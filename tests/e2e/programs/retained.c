// SPDX-License-Identifier: Apache-2.0
// Takes memory in small blocks and gives it back, or does not; then goes on
// allocating a little until its input ends.
//
//   retained BYTES freed      frees all blocks but one in a hundred thousand
//   retained BYTES held       frees none
//   retained BYTES scattered  frees all but one on about every page
//   retained BYTES silent     as freed, and allocates no more
//   retained BYTES handler    as freed, then allocates in a signal handler only
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static uint64_t g_random = 88172645463325252ULL;

static size_t NextSize(void) {
  g_random ^= g_random << 13;
  g_random ^= g_random >> 7;
  g_random ^= g_random << 17;
  return 48 + g_random % 1000;
}

__attribute__((noinline)) static char* Take(size_t bytes) {
  char* const block = malloc(bytes);
  if (block == NULL) abort();
  memset(block, 0x5a, bytes);
  return block;
}

// Interrupts nothing that has to do with memory.
static void OnAlarm(int number) {
  (void)number;
  free(malloc(64));
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const uint64_t wanted = strtoull(argv[1], NULL, 10);
  const size_t most = wanted / 400 + 16;
  char** const blocks = malloc(most * sizeof *blocks);
  size_t count = 0;
  for (uint64_t taken = 0; taken < wanted && count < most;) {
    const size_t bytes = NextSize();
    blocks[count++] = Take(bytes);
    taken += bytes;
  }
  // The last one stays where the heap ends, so that it does not shrink by
  // itself.
  const size_t apart = strcmp(argv[2], "scattered") == 0 ? 8 : 100000;
  if (strcmp(argv[2], "held") != 0) {
    for (size_t i = 0; i + 1 < count; ++i) {
      if (i % apart != 0) free(blocks[i]);
    }
  }
  puts("ready");
  fflush(stdout);
  const int handler = strcmp(argv[2], "handler") == 0;
  const int quiet = handler || strcmp(argv[2], "silent") == 0;
  if (handler) {
    signal(SIGALRM, OnAlarm);
    const struct itimerval often = {{0, 10000}, {0, 10000}};
    setitimer(ITIMER_REAL, &often, NULL);
  }
  for (;;) {
    struct pollfd input = {.fd = 0, .events = POLLIN};
    const int got = poll(&input, 1, quiet ? -1 : 10);
    if (got > 0) return 0;
    if (quiet) continue;
    errno = 4711;
    free(Take(NextSize()));
    if (errno != 4711) {
      puts("errno changed");
      return 1;
    }
  }
}
