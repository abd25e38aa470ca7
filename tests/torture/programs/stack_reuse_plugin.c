/* SPDX-License-Identifier: Apache-2.0
 * One of two plugins of stack_reuse, of the same size and with the same names,
 * so that one comes to lie where the other was. Their frames differ. */
#include <string.h>

#include "stack_reuse.h"

#ifndef FRAME_BYTES
#error "how large the frame is"
#endif

__attribute__((visibility("default"))) unsigned PluginCall(unsigned seed,
                                                           int depth,
                                                           Next next) {
  volatile char array[FRAME_BYTES];
  array[seed % FRAME_BYTES] = (char)seed;
  const unsigned mine = Touch(seed);
  return next(seed * 7 + 1, depth) + mine + (unsigned char)array[seed %
                                                                FRAME_BYTES];
}
