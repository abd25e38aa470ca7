// SPDX-License-Identifier: Apache-2.0
// A function that allocates and can be told from all others in a report.
#pragma once

#include <stdlib.h>

#define SITE(name)                                                       \
  __attribute__((noinline, noclone, used)) static void* name(size_t n) { \
    void* block = malloc(n);                                             \
    __asm__ volatile("" : "+r"(block) : : "memory");                     \
    return block;                                                        \
  }
