// SPDX-License-Identifier: Apache-2.0
// Temporary blocks and lasting ones from the same wrappers, up to a peak of
// about 64 MiB, at which the program stops itself (SIGSTOP). Argument:
//   steady   what lasts grows slowly among much that does not; of half of the
//            wrappers, nothing lasts
//   turn     wrappers that made temporary blocks only hold everything from one
//            moment on
//   swing    large numbers of blocks are all freed and made again, and the
//            peak is in the middle of it
//   threads  steady, by four threads
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline, noclone, used))
#define KEEP_FRAME __asm__ volatile("" ::: "memory")

NOINLINE void* xmalloc(size_t size) {
  void* const block = malloc(size);
  if (block == NULL) abort();
  return block;
}

struct node {
  struct node* next;
  int made_by;
};

struct work {
  struct node* kept;
  unsigned random;
  long keep_every;   // 0: none
  unsigned keepers;  // the makers of what is kept are below
  long blocks;
  long bytes;
};

// Sixteen wrappers, so as many keys.
#define MAKER(n)                                       \
  NOINLINE static struct node* make_##n(size_t size) { \
    struct node* const node = xmalloc(size);           \
    node->made_by = n;                                 \
    return node;                                       \
  }
// clang-format off
MAKER(0) MAKER(1) MAKER(2) MAKER(3) MAKER(4) MAKER(5) MAKER(6) MAKER(7)
MAKER(8) MAKER(9) MAKER(10) MAKER(11) MAKER(12) MAKER(13) MAKER(14) MAKER(15)
    // clang-format on

    static struct node* (*const makers[16])(size_t) = {
        make_0, make_1, make_2,  make_3,  make_4,  make_5,  make_6,  make_7,
        make_8, make_9, make_10, make_11, make_12, make_13, make_14, make_15};

NOINLINE static void Visit(struct work* work, int depth);

NOINLINE static void Left(struct work* work, int depth) {
  Visit(work, depth - 1);
  KEEP_FRAME;
}

NOINLINE static void Right(struct work* work, int depth) {
  Visit(work, depth - 1);
  KEEP_FRAME;
}

NOINLINE static void Visit(struct work* work, int depth) {
  work->random = work->random * 1664525 + 1013904223;
  if (depth > 0) {
    if (work->random & 0x10000) {
      Left(work, depth);
    } else {
      Right(work, depth);
    }
    KEEP_FRAME;
    return;
  }
  const unsigned maker = work->random >> 28;
  const size_t size = 32 + (work->random >> 12) % 200;
  struct node* const node = makers[maker](size);
  if (work->keep_every != 0 && maker < work->keepers &&
      work->blocks++ % work->keep_every == 0) {
    node->next = work->kept;
    work->kept = node;
    work->bytes += (long)size;
  } else {
    free(node);
  }
}

NOINLINE static void Temporaries(struct work* work, long count) {
  work->keep_every = 0;
  for (long i = 0; i < count; ++i) Visit(work, 7);
}

NOINLINE static void Lasting(struct work* work, long every, long bytes) {
  work->keep_every = every;
  work->keepers = every == 1 ? 16 : 8;
  while (work->bytes < bytes) Visit(work, 7);
}

static void Drop(struct work* work) {
  while (work->kept != NULL) {
    struct node* const next = work->kept->next;
    free(work->kept);
    work->kept = next;
  }
  work->bytes = 0;
}

static void* Steady(void* argument) {
  struct work* const work = argument;
  Lasting(work, 10, work->bytes + (16 << 20));
  return NULL;
}

int main(int argc, char** argv) {
  const char* const how = argc > 1 ? argv[1] : "steady";
  struct work works[4];
  memset(works, 0, sizeof works);
  for (unsigned i = 0; i < 4; ++i) works[i].random = i + 1;
  struct work* const work = &works[0];
  if (strcmp(how, "steady") == 0) {
    Lasting(work, 10, 64 << 20);
  } else if (strcmp(how, "turn") == 0) {
    Temporaries(work, 5000000);
    Lasting(work, 1, 64 << 20);
  } else if (strcmp(how, "swing") == 0) {
    for (int round = 0; round < 6; ++round) {
      Lasting(work, 1, 48 << 20);
      Drop(work);
      Temporaries(work, 1000000);
    }
    Lasting(work, 1, 64 << 20);
  } else if (strcmp(how, "threads") == 0) {
    pthread_t threads[4];
    for (int i = 0; i < 4; ++i) {
      if (pthread_create(&threads[i], NULL, Steady, &works[i]) != 0) return 3;
    }
    for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  } else {
    return 2;
  }
  raise(SIGSTOP);
  for (int i = 0; i < 4; ++i) Drop(&works[i]);
  return 0;
}
