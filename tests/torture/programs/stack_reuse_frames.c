/* SPDX-License-Identifier: Apache-2.0
 * The frames of stack_reuse that keep a frame pointer; to be built with
 * -fno-omit-frame-pointer. */
#include <string.h>

#include "stack_reuse.h"

unsigned WithFramePointer(unsigned seed, int depth, Next next) {
  const unsigned mine = Touch(seed);
  return next(seed * 3 + 1, depth) + mine;
}

unsigned WithFramePointerAndArray(unsigned seed, int depth, Next next) {
  char array[16 + seed % 300];
  memset(array, (int)seed, sizeof array);
  __asm__ volatile("" : : "r"(array) : "memory");
  const unsigned mine = Touch(seed) + (unsigned char)array[seed % 16];
  return next(seed * 5 + 1, depth) + mine;
}

unsigned PassesOn(unsigned seed, int depth, Next next) {
  return next(seed + 1, depth) + 1;
}
