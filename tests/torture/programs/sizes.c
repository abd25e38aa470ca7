// SPDX-License-Identifier: Apache-2.0
// Sizes at the ends of what there is. Prints what is live by function.
#include <malloc.h>
#include <stdio.h>

#include "site.h"

SITE(Zero)
SITE(Touched)
SITE(Reserved)
SITE(Cumulative)

__attribute__((noinline, noclone, used)) static void* AlignedBlock(
    size_t alignment, size_t bytes) {
  void* block = memalign(alignment, bytes);
  __asm__ volatile("" : "+r"(block) : : "memory");
  return block;
}

int main(void) {
  for (int i = 0; i < 5; ++i) (void)Zero(0);
  for (int i = 0; i < 5; ++i) free(Zero(0));
  const size_t large = 64UL << 20;
  char* const block = Touched(large);
  if (block == NULL) return 2;
  for (size_t i = 0; i < large; i += 4096) block[i] = 1;
  if (Reserved(8UL << 30) == NULL) return 3;
  for (int i = 0; i < 1024; ++i) {
    void* const gigabyte = Cumulative(1UL << 30);
    if (gigabyte == NULL) return 4;
    free(gigabyte);
  }
  long aligned = 0;
  for (size_t alignment = 16; alignment <= 1 << 20; alignment *= 2) {
    if (AlignedBlock(alignment, alignment / 2 + 1) == NULL) return 5;
    aligned += (long)(alignment / 2 + 1);
  }
  printf("Zero 0 5\nTouched %zu 1\nReserved %lu 1\nCumulative 0 0\n", large,
         8UL << 30);
  printf("AlignedBlock %ld 17\n", aligned);
  fflush(stdout);
  return 0;
}
