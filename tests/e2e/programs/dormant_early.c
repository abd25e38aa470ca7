// SPDX-License-Identifier: Apache-2.0
// Allocates before anything of ours or libc's has run (an IFUNC resolver), and
// around dlsym and dlerror in its first constructor; uses all of it later, and
// once more after a byte on stdin. Prints what does not depend on addresses.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone, used))

enum { kEarly = 16 };
static char* volatile g_early[kEarly];
static char* g_message;
static void* g_null_symbol;

static int Chosen(void) { return g_early[0] != NULL; }

static int (*Resolve(void))(void) {
  for (int i = 0; i < kEarly; ++i) {
    g_early[i] = i % 2 ? calloc(1, 100 + i) : malloc(100 + i);
    for (int c = 0; c < 100; ++c) g_early[i][c] = (char)('a' + i);
  }
  free(g_early[kEarly - 1]);
  g_early[kEarly - 1] = realloc(NULL, 115);
  g_early[kEarly - 1][0] = 'p';
  return Chosen;
}

static int FromResolver(void) __attribute__((ifunc("Resolve")));

__attribute__((constructor(101))) static void Early(void) {
  g_null_symbol = dlsym(RTLD_DEFAULT, "no_such_symbol_anywhere");
  const char* const said = dlerror();
  g_message = strdup(said != NULL ? said : "nothing");
  // Left behind: freed by whichever call of the loader comes next.
  (void)dlsym(RTLD_NEXT, "nor_this_one");
  void* const handle = dlopen("libno-such-library.so.9", RTLD_NOW);
  if (handle != NULL) abort();
}

NOINLINE static void* Later(size_t size) {
  void* block = malloc(size);
  __asm__ volatile("" : "+r"(block) : : "memory");
  return block;
}

static void Use(int from) {
  for (int i = from; i < from + kEarly / 2; ++i) {
    if (malloc_usable_size(g_early[i]) < 100) abort();
    putchar(g_early[i][0]);
    if (i % 4 == 0) {
      free(g_early[i]);
    } else if (i % 4 == 1) {
      g_early[i] = realloc(g_early[i], 5000);
      putchar(g_early[i][99]);
      free(g_early[i]);
    } else if (i % 4 == 2) {
      g_early[i] = realloc(g_early[i], 10);
      putchar(g_early[i][9]);
    }
  }
  putchar('\n');
}

int main(void) {
  char byte;
  printf("%d %d %s\n", FromResolver(), g_null_symbol == NULL,
         strstr(g_message, "no_such_symbol") != NULL ? "named" : g_message);
  Use(0);
  fflush(stdout);
  if (read(0, &byte, 1) == 1) {
    for (int i = 0; i < 10; ++i) {
      if (Later(50) == NULL) abort();
    }
  }
  Use(kEarly / 2);
  free(g_message);
  (void)dlsym(RTLD_DEFAULT, "no_such_symbol_either");
  printf("%s\n", dlerror() != NULL ? "refused" : "found");
  fflush(stdout);
  return 0;
}
