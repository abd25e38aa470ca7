// SPDX-License-Identifier: Apache-2.0
// Blocks of many sizes from several functions, to be estimated from samples.
// Prints what is live at the end, a line "function size count" for each size.
// Arguments, each a step:
//   hold      the blocks, in this thread
//   threads   the same, each function's in a thread of its own
//   chains    blocks that realloc grew and shrank
//   other     4 threads free all that is held, whoever allocated it
//   free      frees all that is held
//   fork      a child that allocates nothing, then one that frees all
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone, used))
#define MOST 400000
#define LARGEST_MIXED 3000

struct held {
  void* block;
  int kind;
  unsigned size;
};

static struct held* g_held;  // not from the heap
static struct held g_memory[MOST];
static int g_count;

#define SITE(name)                                   \
  NOINLINE static void* name(size_t size) {          \
    void* block = malloc(size);                      \
    __asm__ volatile("" : "+r"(block) : : "memory"); \
    return block;                                    \
  }

SITE(Tiny)
SITE(Small)
SITE(Page)
SITE(Mixed)
SITE(Middle)
SITE(Big)
SITE(Huge)
SITE(Thinned)

NOINLINE static void* Chained(size_t size) {
  void* block = NULL;
  for (size_t at = 20; at < 3 * size; at *= 2) block = realloc(block, at);
  block = realloc(block, size);
  __asm__ volatile("" : "+r"(block) : : "memory");
  return block;
}

static const struct kind {
  const char* name;
  void* (*allocate)(size_t);
  unsigned size;  // 0: mixed
  int count;
} kinds[] = {
    {"Tiny", Tiny, 16, 150000},       {"Small", Small, 100, 40000},
    {"Page", Page, 4096, 2000},       {"Mixed", Mixed, 0, 10000},
    {"Middle", Middle, 65536, 150},   {"Big", Big, 150000, 60},
    {"Huge", Huge, 4 << 20, 6},       {"Thinned", Thinned, 1000, 8000},
    {"Chained", Chained, 3000, 3000},
};
enum { kKinds = sizeof kinds / sizeof kinds[0], kChained = kKinds - 1 };

static void* Fill(void* argument) {
  const int k = (int)(long)argument;
  const struct kind* const kind = &kinds[k];
  unsigned random = 12345;
  for (int i = 0; i < kind->count; ++i) {
    random = random * 1664525 + 1013904223;
    const unsigned size = kind->size != 0
                              ? kind->size
                              : 100 + (random >> 8) % (LARGEST_MIXED - 100);
    void* const block = kind->allocate(size);
    if (block == NULL) abort();
    if (kind->allocate == Thinned && i % 2 != 0) {
      free(block);
      continue;
    }
    const int at = __atomic_fetch_add(&g_count, 1, __ATOMIC_RELAXED);
    if (at >= MOST) abort();
    g_held[at] = (struct held){block, k, size};
  }
  return NULL;
}

static void InThreads(int count, void* (*work)(void*)) {
  pthread_t threads[16];
  for (long t = 0; t < count; ++t) {
    if (pthread_create(&threads[t], NULL, work, (void*)t) != 0) abort();
  }
  for (int t = 0; t < count; ++t) pthread_join(threads[t], NULL);
}

static void* FreeQuarter(void* argument) {
  for (int i = (int)(long)argument; i < g_count; i += 4) free(g_held[i].block);
  return NULL;
}

static void Children(void) {
  for (int frees = 0; frees < 2; ++frees) {
    const pid_t pid = fork();
    if (pid == 0) {
      if (frees) {
        for (int i = 0; i < g_count; ++i) free(g_held[i].block);
      } else {
        free(NULL);
        free(realloc(NULL, 1));
      }
      _exit(0);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) abort();
  }
}

static void Print(void) {
  static int mixed[LARGEST_MIXED + 1];
  int counts[kKinds] = {0};
  for (int i = 0; i < g_count; ++i) {
    if (kinds[g_held[i].kind].size == 0) {
      ++mixed[g_held[i].size];
    } else {
      ++counts[g_held[i].kind];
    }
  }
  static char buffer[1 << 20];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  for (int k = 0; k < kKinds; ++k) {
    if (kinds[k].size != 0) {
      printf("%s %u %d\n", kinds[k].name, kinds[k].size, counts[k]);
      continue;
    }
    for (int size = 1; size <= LARGEST_MIXED; ++size) {
      if (mixed[size]) printf("%s %d %d\n", kinds[k].name, size, mixed[size]);
    }
  }
  fflush(stdout);
}

int main(int argc, char** argv) {
  g_held = g_memory;
  for (int step = 1; step < argc; ++step) {
    const char* const word = argv[step];
    if (strcmp(word, "hold") == 0) {
      for (long k = 0; k < kChained; ++k) Fill((void*)k);
    } else if (strcmp(word, "threads") == 0) {
      InThreads(kChained, Fill);
    } else if (strcmp(word, "chains") == 0) {
      Fill((void*)(long)kChained);
    } else if (strcmp(word, "other") == 0) {
      InThreads(4, FreeQuarter);
      g_count = 0;
    } else if (strcmp(word, "free") == 0) {
      for (int i = 0; i < g_count; ++i) free(g_held[i].block);
      g_count = 0;
    } else if (strcmp(word, "fork") == 0) {
      Children();
    } else {
      return 2;
    }
  }
  Print();
  return 0;
}
