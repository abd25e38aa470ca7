// SPDX-License-Identifier: Apache-2.0
// Loses one block of 11 bytes and ends in surroundings that it is told.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static NOINLINE void Lose(size_t bytes) {
  void* const block = malloc(bytes);
  __asm__ volatile("" : : "r"(block) : "memory");
}

static volatile int g_ready;

static void Await(int threads) {
  while (__atomic_load_n(&g_ready, __ATOMIC_SEQ_CST) < threads) usleep(1000);
}

static void* Hold(void* unused) {
  void* volatile held = malloc(50);
  __atomic_fetch_add(&g_ready, 1, __ATOMIC_SEQ_CST);
  for (;;) poll(NULL, 0, -1);
  return held != NULL ? unused : NULL;
}

// Texts that read as the header of a chunk, all over their pages: at both
// places where a block can start in its granule.
static NOINLINE void HoldTexts(void) {
  static char* held[8192];
  for (int i = 0; i < 8192; ++i) {
    held[i] = malloc(i == 4096 ? 40 : 10);
    memset(held[i], 0, malloc_usable_size(held[i]));
    strcpy(held[i], "SHELLOPTS");
  }
}

// glibc would not let it: only a system call blocks every signal.
static void* BlockEverything(void* unused) {
  const unsigned long all = ~0UL;
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, sizeof all);
  __atomic_fetch_add(&g_ready, 1, __ATOMIC_SEQ_CST);
  for (;;) pause();
  return unused;
}

static void Start(void* (*run)(void*), int threads) {
  for (int i = 0; i < threads; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL) != 0) abort();
  }
  Await(threads);
}

// Kills for every system call but the end, or refuses one with EPERM.
static void Filter(unsigned int refused) {
  const struct sock_filter only_end[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
  const struct sock_filter all_but[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const struct sock_fprog program = {
      4, (struct sock_filter*)(refused == 0 ? only_end : all_but)};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) abort();
  if (refused == 0) {
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
  } else {
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  }
}

static void ErrnoAtEnd(void) { _exit(errno == 77 ? 0 : 1); }

int main(int argc, char** argv) {
  const char* const how = argc > 1 ? argv[1] : "";
  const long number = argc > 2 ? atol(argv[2]) : 0;
  // "steady": the same threads, and nothing lost.
  const int steady = strcmp(how, "steady") == 0;
  if (!steady) Lose(11);
  if (steady || strcmp(how, "threads") == 0) Start(Hold, (int)number);
  if (strcmp(how, "texts") == 0) HoldTexts();
  if (strcmp(how, "blocked") == 0) Start(BlockEverything, 1);
  if (strcmp(how, "sealed") == 0) {
    Filter(0);
    exit(3);
  }
  if (strcmp(how, "undumpable") == 0) prctl(PR_SET_DUMPABLE, 0);
  if (strcmp(how, "address_space") == 0) {
    const struct rlimit limit = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_AS, &limit);
  }
  if (strcmp(how, "refuse_then_exec") == 0) {
    // For the next image, whose start is under the filter already.
    Filter((unsigned int)number);
    execl("/proc/self/exe", argv[0], "threads", "3", (char*)NULL);
  }
  if (strcmp(how, "errno") == 0) {
    atexit(ErrnoAtEnd);
    errno = 77;
  }
  if (strcmp(how, "abort") == 0) abort();
  if (strcmp(how, "kernel") == 0) syscall(SYS_exit_group, 5);
  return 0;
}
