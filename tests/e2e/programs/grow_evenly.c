// SPDX-License-Identifier: Apache-2.0
// Takes and touches BYTES every 100 ms until it is killed.
// Usage: grow_evenly BYTES
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int main(int argc, char** argv) {
  const size_t bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
  const struct timespec pause = {0, 100 * 1000 * 1000};
  if (bytes == 0) return 2;
  puts("started");
  fflush(stdout);
  for (;;) {
    void* const block = malloc(bytes);
    if (block == NULL) return 1;
    memset(block, 1, bytes);
    nanosleep(&pause, NULL);
  }
}
