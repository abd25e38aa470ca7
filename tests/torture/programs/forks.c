// SPDX-License-Identifier: Apache-2.0
// Forks 200 times while four threads churn. Every child frees half of what it
// inherited and allocates; every tenth forks in turn, every twentieth starts a
// thread. Prints what the parent holds at the end; what children hold is known:
//   child:      Kept 100 inherited, 50 freed; ChildOwn 10 allocated, 5 freed
//   grandchild: Kept 50 inherited, 50 freed; ChildOwn 5 inherited, 5 freed;
//               GrandOwn 3 allocated
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "site.h"

SITE(Kept)
SITE(Churned)
SITE(HandlerTemp)
SITE(HandlerKept)
SITE(ChildOwn)
SITE(GrandOwn)
SITE(ThreadOwn)

enum { kThreads = 4, kSlots = 64, kKept = 100, kForks = 200 };

static atomic_int g_stop;

static void Handler(void) { free(HandlerTemp(24)); }
static void ChildHandler(void) { (void)HandlerKept(40); }

// Before and after whatever a library registers in its constructor.
__attribute__((constructor(101))) static void Early(void) {
  pthread_atfork(Handler, Handler, ChildHandler);
}

static void* Churn(void* seed) {
  void* slots[kSlots] = {0};
  unsigned random = (unsigned)(unsigned long)seed * 2654435761U + 1;
  while (!atomic_load(&g_stop)) {
    random = random * 1664525 + 1013904223;
    void** const slot = &slots[(random >> 8) % kSlots];
    free(*slot);
    *slot = Churned(random >> 21);
  }
  for (int i = 0; i < kSlots; ++i) free(slots[i]);
  return NULL;
}

static void* InChildThread(void* unused) {
  for (int i = 0; i < 4; ++i) (void)ThreadOwn(21);
  return unused;
}

static void Grandchild(void** kept, void** own) {
  for (int i = 50; i < kKept; ++i) free(kept[i]);
  for (int i = 5; i < 10; ++i) free(own[i]);
  for (int i = 0; i < 3; ++i) (void)GrandOwn(17);
  _exit(9);
}

static void Child(int number, void** kept) {
  void* own[10];
  for (int i = 0; i < 10; ++i) own[i] = ChildOwn(33);
  for (int i = 0; i < 5; ++i) free(own[i]);
  for (int i = 0; i < 50; ++i) free(kept[i]);
  if (number % 20 == 1) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, InChildThread, NULL) != 0) _exit(3);
    pthread_join(thread, NULL);
  }
  if (number % 10 == 0) {
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0) Grandchild(kept, own);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 9) {
      _exit(4);
    }
  }
  if (number % 2 == 0) _exit(7);
  exit(7);
}

int main(void) {
  pthread_atfork(Handler, Handler, ChildHandler);
  void* kept[kKept];
  for (int i = 0; i < kKept; ++i) kept[i] = Kept(77);
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; ++i) {
    pthread_create(&threads[i], NULL, Churn, (void*)i);
  }
  for (int i = 0; i < kForks; ++i) {
    const pid_t pid = fork();
    if (pid == 0) Child(i, kept);
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 7) {
      printf("child %d ended with %x\n", i, status);
      return 1;
    }
  }
  atomic_store(&g_stop, 1);
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  for (int i = 0; i < 10; ++i) free(kept[i]);
  printf("Kept %d %d\nChurned 0 0\nHandlerTemp 0 0\nHandlerKept 0 0\n", 90 * 77,
         90);
  printf("ChildOwn 0 0\nGrandOwn 0 0\nThreadOwn 0 0\n");
  fflush(stdout);
  return 0;
}
