// SPDX-License-Identifier: Apache-2.0
// A library with thread-local storage of its own, to be loaded many times over
// from copies of its file.
#include <stdlib.h>

static __thread char t_large[512];
static __thread void* t_block;

__attribute__((visibility("default"))) int Touch(void) {
  t_large[7] = 1;
  free(t_block);
  t_block = malloc(24);
  return t_block != NULL && t_large[7] == 1;
}
