// SPDX-License-Identifier: Apache-2.0
// A server that forks three workers. Before, it holds 100 blocks of 1000 bytes;
// worker i then holds 10 * i blocks of 100 bytes. Prints its pid and theirs,
// and all end when standard input does.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone, used))

static void* kept[200];

NOINLINE void hold_shared(void) {
  for (int i = 0; i < 100; ++i) kept[i] = malloc(1000);
}

NOINLINE void hold_own(int blocks) {
  for (int i = 0; i < blocks; ++i) kept[100 + i] = malloc(100);
}

static void wait_for_end(void) {
  char byte;
  while (read(0, &byte, 1) > 0) continue;
}

int main(void) {
  int ready[2];
  char byte = 0;
  if (pipe(ready) != 0) return 1;
  hold_shared();
  pid_t workers[3];
  for (int i = 0; i < 3; ++i) {
    workers[i] = fork();
    if (workers[i] != 0) continue;
    hold_own(10 * (i + 1));
    if (write(ready[1], &byte, 1) != 1) return 1;
    wait_for_end();
    _exit(0);
  }
  for (int i = 0; i < 3; ++i) {
    if (read(ready[0], &byte, 1) != 1) return 1;
  }
  printf("%d %d %d %d\n", getpid(), workers[0], workers[1], workers[2]);
  fflush(stdout);
  wait_for_end();
  for (int i = 0; i < 3; ++i) waitpid(workers[i], NULL, 0);
  return 0;
}
