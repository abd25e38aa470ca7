// SPDX-License-Identifier: Apache-2.0
// Uses a function whose IFUNC resolver allocates.
#include <stdio.h>

#include "site.h"

SITE(Kept)

int FromResolver(void);

int main(void) {
  printf("resolver allocated: %d\n", FromResolver());
  (void)Kept(44);
  printf("Kept 44 1\n");
  fflush(stdout);
  return 0;
}
