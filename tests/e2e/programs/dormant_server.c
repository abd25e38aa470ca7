// SPDX-License-Identifier: Apache-2.0
// Does what the letters on its stdin say, each with "." on stdout when done.
// Nothing here allocates by itself.
//   a  10 blocks of 100 bytes, by Held()
//   f  frees the 10 oldest blocks that it has
//   r  reallocs the 10 newest to 300 bytes, by Grown()
//   t  from now on, a thread that allocates and frees all the time
//   o  a thread that frees the 10 oldest and ends
//   c  a child that allocates 10 blocks of 33 bytes, by ChildHeld(), frees the
//      10 oldest, and ends when we do
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone, used))
#define SITE(name)                                   \
  NOINLINE static void* name(size_t size) {          \
    void* block = malloc(size);                      \
    __asm__ volatile("" : "+r"(block) : : "memory"); \
    return block;                                    \
  }

SITE(Held)
SITE(Ticked)
SITE(ChildHeld)

NOINLINE static void* Grown(void* block, size_t size) {
  block = realloc(block, size);
  __asm__ volatile("" : "+r"(block) : : "memory");
  return block;
}

static void* g_blocks[4096];
static int g_first, g_end;
static int g_died_with_us[2];

static void Free(void) {
  for (int i = 0; i < 10 && g_first < g_end; ++i) free(g_blocks[g_first++]);
}

static void* Tick(void* unused) {
  const struct timespec pause = {0, 1000000};
  for (;;) {
    free(Ticked(50));
    nanosleep(&pause, NULL);
  }
  return unused;
}

static void* FreeElsewhere(void* unused) {
  Free();
  return unused;
}

static void Child(void) {
  void* own[10];
  for (int i = 0; i < 10; ++i) own[i] = ChildHeld(33);
  Free();
  if (own[9] == NULL || write(1, ".", 1) != 1) _exit(1);
  char byte;
  close(g_died_with_us[1]);
  _exit(read(g_died_with_us[0], &byte, 1) == 0 ? 0 : 1);
}

int main(void) {
  char letter;
  pthread_t thread;
  if (pipe(g_died_with_us) != 0) return 3;
  while (read(0, &letter, 1) == 1) {
    switch (letter) {
      case 'a':
        for (int i = 0; i < 10; ++i) g_blocks[g_end++] = Held(100);
        break;
      case 'f':
        Free();
        break;
      case 'r':
        for (int i = 1; i <= 10; ++i) {
          g_blocks[g_end - i] = Grown(g_blocks[g_end - i], 300);
        }
        break;
      case 't':
        if (pthread_create(&thread, NULL, Tick, NULL) != 0) return 3;
        break;
      case 'o':
        if (pthread_create(&thread, NULL, FreeElsewhere, NULL) != 0) return 3;
        pthread_join(thread, NULL);
        break;
      case 'c': {
        const pid_t pid = fork();
        if (pid < 0) return 3;
        if (pid == 0) Child();
        continue;  // it is the child that answers
      }
      default:
        continue;
    }
    if (write(1, ".", 1) != 1) return 3;
  }
  return 0;
}
