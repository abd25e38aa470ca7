// SPDX-License-Identifier: Apache-2.0
// In C11, what include/heapledger/heapledger.h costs: does something N times.
// Run under callgrind with two numbers, the difference is instructions each.
//
// Usage: tagged_pairs scopes|plain|inside|switch N
//   scopes  a scope around nothing
//   plain   a malloc and a free outside of all scopes
//   inside  a malloc and a free in one scope that stays
//   switch  a malloc and a free in a scope each, of one tag and another in turn
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heapledger/heapledger.h"

static __attribute__((noinline)) void Pair(void) {
  void* const block = malloc(64);
  __asm__ volatile("" : : "r"(block) : "memory");
  free(block);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const long times = atol(argv[2]);
  const heapledger_tag_t tag = heapledger_tag("tenant", "acme");
  const heapledger_tag_t other = heapledger_tag("tenant", "globex");
  if (strcmp(argv[1], "scopes") == 0) {
    for (long i = 0; i < times; ++i) {
      heapledger_tag_pop(heapledger_tag_push(tag));
    }
  } else if (strcmp(argv[1], "plain") == 0) {
    for (long i = 0; i < times; ++i) Pair();
  } else if (strcmp(argv[1], "inside") == 0) {
    const heapledger_scope_t scope = heapledger_tag_push(tag);
    for (long i = 0; i < times; ++i) Pair();
    heapledger_tag_pop(scope);
  } else {
    for (long i = 0; i < times; ++i) {
      const heapledger_scope_t scope =
          heapledger_tag_push(i % 2 == 0 ? tag : other);
      Pair();
      heapledger_tag_pop(scope);
    }
  }
  printf("%s\n", tag != 0 ? "tagged" : "untagged");
  return 0;
}
