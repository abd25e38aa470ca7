// SPDX-License-Identifier: Apache-2.0
// Paints the stack below a call and looks how far down the paint is gone.
// Prints "name bytes" for each entry point: the deepest of many calls from many
// stacks. The first call, and those from unknown stacks, are printed apart.
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { kPaint = 64 * 1024, kRedZone = 256 };

typedef void (*Call)(unsigned i);

static void* g_slots[64];

static void DoMalloc(unsigned i) {
  free(g_slots[i % 64]);
  g_slots[i % 64] = malloc(i * 37 % 3000);
}
static void DoCalloc(unsigned i) {
  free(g_slots[i % 64]);
  g_slots[i % 64] = calloc(1, i * 37 % 3000);
}
static void DoRealloc(unsigned i) {
  g_slots[i % 64] = realloc(g_slots[i % 64], i * 37 % 3000 + 1);
}
static void DoMemalign(unsigned i) {
  free(g_slots[i % 64]);
  g_slots[i % 64] = memalign(64, i * 37 % 3000);
}

__attribute__((noinline)) static size_t Depth(Call call, unsigned i) {
  char* const here = __builtin_frame_address(0);
  char* const top = here - kRedZone;
  volatile char* const end = top - kPaint;
  for (volatile char* at = end; at < top; ++at) *at = (char)0xa5;
  call(i);
  volatile char* at = end;
  while (at < top && *at == (char)0xa5) ++at;
  return (size_t)(top - at);
}

// Other frames below each time, so that the stack is not known already.
__attribute__((noinline)) static size_t Deeper(Call call, unsigned i,
                                               unsigned depth) {
  if (depth == 0) return Depth(call, i);
  volatile char frame[64];
  frame[0] = (char)depth;
  const size_t found = (depth & 1) != 0 ? Deeper(call, i, depth - 1)
                                        : Deeper(call, i + 1, depth - 1);
  return found + (size_t)(frame[0] & 0);
}

static void* Measure(void* unused) {
  static const struct {
    const char* name;
    Call call;
  } kCalls[] = {{"malloc", DoMalloc},
                {"calloc", DoCalloc},
                {"realloc", DoRealloc},
                {"memalign", DoMemalign}};
  printf("first %zu\n", Depth(DoMalloc, 1));
  // From stacks that nobody has seen yet, then from the same ones again.
  for (int round = 0; round < 2; ++round) {
    for (unsigned k = 0; k < 4; ++k) {
      size_t most = 0;
      for (unsigned i = 0; i < 4000; ++i) {
        const size_t depth = Deeper(kCalls[k].call, i, i % 40);
        if (depth > most) most = depth;
      }
      printf("%s%s %zu\n", round == 0 ? "unknown_" : "", kCalls[k].name, most);
    }
  }
  return unused;
}

int main(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 512 * 1024);
  pthread_t thread;
  if (pthread_create(&thread, &attributes, Measure, NULL) != 0) return 2;
  pthread_join(thread, NULL);
  fflush(stdout);
  return 0;
}
