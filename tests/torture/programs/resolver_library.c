// SPDX-License-Identifier: Apache-2.0
// A function whose IFUNC resolver allocates: at relocation, before anything
// that this library needs has run.
#include <stdlib.h>

static void* volatile g_block;

static int Chosen(void) {
  const int found = g_block != NULL;
  free(g_block);
  return found;
}

static int (*Resolve(void))(void) {
  g_block = malloc(123);
  free(malloc(10));
  return Chosen;
}

int FromResolver(void) __attribute__((ifunc("Resolve")));
