// SPDX-License-Identifier: Apache-2.0
// Code that was written a moment ago, has no unwind data and no frame pointer,
// and calls malloc. Prints what is live at the end.
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "site.h"

SITE(Kept)

typedef void* (*Generated)(size_t);

// sub $8, %rsp (or push %rbp; xor %ebp, %ebp); mov $ADDRESS, %rax; call *%rax;
// add $8, %rsp (or pop %rbp); ret
static Generated Generate(unsigned char* at, int without_rbp) {
  unsigned char* const start = at;
  void* (*const target)(size_t) = Kept;
  if (without_rbp) {
    *at++ = 0x55;
    *at++ = 0x31;
    *at++ = 0xed;
  } else {
    memcpy(at, "\x48\x83\xec\x08", 4);
    at += 4;
  }
  memcpy(at, "\x48\xb8", 2);
  memcpy(at + 2, &target, 8);
  memcpy(at + 10, "\xff\xd0", 2);
  at += 12;
  if (without_rbp) {
    *at++ = 0x5d;
  } else {
    memcpy(at, "\x48\x83\xc4\x08", 4);
    at += 4;
  }
  *at = 0xc3;
  return (Generated)(void*)start;
}

int main(void) {
  unsigned char* const code = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) return 2;
  const Generated plain = Generate(code, 0);
  const Generated no_rbp = Generate(code + 256, 1);
  if (mprotect(code, 4096, PROT_READ | PROT_EXEC) != 0) return 3;
  for (int i = 0; i < 500; ++i) {
    if (plain(20) == NULL || no_rbp(30) == NULL) return 4;
  }
  printf("Kept %d 1000\n", 500 * 20 + 500 * 30);
  fflush(stdout);
  return 0;
}
