// SPDX-License-Identifier: Apache-2.0
// A program that does a bit of everything, for hostile surroundings. Prints
// what it holds. Arguments, each a step:
//   hold       10 blocks of 100 bytes
//   wide       4096 blocks of 64 bytes from 4096 different stacks
//   wider      the same, 32768 of them
//   widest     the same, 131072 of them
//   millions   10 million blocks of 16 bytes
//   churn      frees again what it allocates, 20000 times
//   threads    4 threads that churn
//   large      64 MiB, touched at both ends, freed
//   say        prints a line and flushes
//   wait       waits for a byte on stdin
//   open       prints the number of the first descriptor it gets
//   strict     enters strict seccomp; must be last but for churn and hold
//   filter     a seccomp filter that refuses all that malloc does not need
//   killing    the same, but it kills, and threads may be started
//   drop       becomes user 65534
//   chroot     changes root to the working directory
//   undumpable asks the kernel to let nobody look at it
//   closefrom  closes every descriptor
//   errno      checks that calls that succeed leave errno alone
//   fork       a child that churns and ends with 8
//   as, fsize  sets the limit to what is used and 8 MiB, to nothing
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "site.h"

SITE(Held)
SITE(Churned)
SITE(Large)
SITE(Million)

static int g_held;
static long g_millions;
static int g_wide;
static int g_strict;

__attribute__((noinline, noclone, used)) static void Wide(unsigned bits,
                                                          int depth);

__attribute__((noinline, noclone)) static void Left(unsigned bits, int depth) {
  Wide(bits, depth);
  __asm__ volatile("" : : : "memory");
}

__attribute__((noinline, noclone)) static void Right(unsigned bits, int depth) {
  Wide(bits, depth);
  __asm__ volatile("" : : : "memory");
}

__attribute__((noinline, noclone, used)) static void Wide(unsigned bits,
                                                          int depth) {
  if (depth == 0) {
    if (malloc(64) != NULL) ++g_wide;
    return;
  }
  if ((bits & 1) != 0) {
    Left(bits >> 1, depth - 1);
  } else {
    Right(bits >> 1, depth - 1);
  }
  __asm__ volatile("" : : : "memory");
}

static void Hold(void) {
  for (int i = 0; i < 10; ++i) {
    void* const block = Held(100);
    if (block != NULL) ++g_held;
  }
}

static void* Churn(void* unused) {
  void* slots[16] = {0};
  for (unsigned i = 0; i < 20000; ++i) {
    free(slots[i % 16]);
    slots[i % 16] = Churned(i * 7 % 900);
  }
  for (int i = 0; i < 16; ++i) free(slots[i]);
  return unused;
}

static int Threads(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) {
    if (pthread_create(&threads[i], NULL, Churn, NULL) != 0) return 0;
  }
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  return 1;
}

static void LargeBlock(void) {
  const size_t bytes = 64UL << 20;
  char* const block = Large(bytes);
  printf("large %s\n", block == NULL ? "refused" : "given");
  if (block == NULL) return;
  block[0] = 1;
  block[bytes - 1] = 1;
  free(block);
}

// Allows what malloc, threads and an end need. Whatever else: `otherwise`.
static int Filter(const int* allowed, int count, unsigned otherwise) {
  struct sock_filter code[64];
  code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                         offsetof(struct seccomp_data, nr));
  for (int i = 0; i < count; ++i) {
    code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                               (unsigned)allowed[i],
                                               (unsigned char)(count - i), 0);
  }
  code[count + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise);
  code[count + 2] =
      (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const struct sock_fprog program = {(unsigned short)(count + 3), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int RefusingFilter(void) {
  static const int allowed[] = {
      SYS_write,  SYS_exit,     SYS_exit_group, SYS_brk,   SYS_mmap,
      SYS_munmap, SYS_mprotect, SYS_mremap,     SYS_futex, SYS_rt_sigreturn,
  };
  return Filter(allowed, sizeof allowed / sizeof allowed[0],
                SECCOMP_RET_ERRNO | EPERM);
}

// What glibc's malloc and pthread_create use, and stdio's first write.
static int KillingFilter(void) {
  static const int allowed[] = {
      SYS_write,        SYS_exit,      SYS_exit_group,
      SYS_brk,          SYS_mmap,      SYS_munmap,
      SYS_mprotect,     SYS_mremap,    SYS_futex,
      SYS_rt_sigreturn, SYS_madvise,   SYS_clone,
      SYS_clone3,       SYS_rseq,      SYS_set_robust_list,
      SYS_newfstatat,   SYS_prlimit64, SYS_rt_sigprocmask,
      SYS_rt_sigaction, SYS_getrandom, SYS_sched_getaffinity,
      SYS_openat,       SYS_read,      SYS_close,
  };
  return Filter(allowed, sizeof allowed / sizeof allowed[0],
                SECCOMP_RET_KILL_PROCESS);
}

static int ChangeRoot(void) { return chroot(".") == 0 && chdir("/") == 0; }

static int KeepsErrno(void) {
  for (int i = 0; i < 3000; ++i) {
    errno = 1234;
    void* block = Churned((size_t)i * 50);
    if (errno != 1234) return 0;
    free(block);
    if (errno != 1234) return 0;
    block = realloc(calloc(1, 100), (size_t)i + 1);
    if (errno != 1234) return 0;
    free(block);
    if (errno != 1234) return 0;
  }
  return 1;
}

static int Fork(void) {
  const pid_t pid = fork();
  if (pid == 0) {
    (void)Churn(NULL);
    Hold();
    _exit(8);
  }
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) return 0;
  printf("child %x\n", status);
  return status == 8 << 8;
}

static int LimitAddressSpace(void) {
  unsigned long pages = 0;
  FILE* const file = fopen("/proc/self/statm", "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%lu", &pages) != 1) pages = 0;
  fclose(file);
  const struct rlimit limit = {pages * 4096 + (8UL << 20),
                               pages * 4096 + (8UL << 20)};
  return pages != 0 && setrlimit(RLIMIT_AS, &limit) == 0;
}

static int Step(const char* step) {
  char byte;
  if (strcmp(step, "hold") == 0) {
    Hold();
  } else if (strcmp(step, "wide") == 0) {
    for (unsigned i = 0; i < 4096; ++i) Wide(i, 12);
  } else if (strcmp(step, "wider") == 0) {
    for (unsigned i = 0; i < 32768; ++i) Wide(i, 15);
  } else if (strcmp(step, "widest") == 0) {
    for (unsigned i = 0; i < 131072; ++i) Wide(i, 17);
  } else if (strcmp(step, "millions") == 0) {
    for (; g_millions < 10000000; ++g_millions) {
      if (Million(16) == NULL) return 0;
    }
  } else if (strcmp(step, "churn") == 0) {
    (void)Churn(NULL);
  } else if (strcmp(step, "threads") == 0) {
    printf("threads %s\n", Threads() ? "ran" : "refused");
  } else if (strcmp(step, "large") == 0) {
    LargeBlock();
  } else if (strcmp(step, "say") == 0) {
    printf("said\n");
    fflush(stdout);
  } else if (strcmp(step, "wait") == 0) {
    return read(0, &byte, 1) >= 0;
  } else if (strcmp(step, "open") == 0) {
    printf("descriptor %d\n", open("/", O_RDONLY));
  } else if (strcmp(step, "strict") == 0) {
    fflush(stdout);
    g_strict = 1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0;
  } else if (strcmp(step, "filter") == 0) {
    return RefusingFilter();
  } else if (strcmp(step, "killing") == 0) {
    return KillingFilter();
  } else if (strcmp(step, "drop") == 0) {
    return setgid(65534) == 0 && setuid(65534) == 0;
  } else if (strcmp(step, "chroot") == 0) {
    return ChangeRoot();
  } else if (strcmp(step, "undumpable") == 0) {
    return prctl(PR_SET_DUMPABLE, 0) == 0;
  } else if (strcmp(step, "errno") == 0) {
    printf("errno %s\n", KeepsErrno() ? "kept" : "changed");
  } else if (strcmp(step, "fork") == 0) {
    return Fork();
  } else if (strcmp(step, "as") == 0) {
    return LimitAddressSpace();
  } else if (strcmp(step, "fsize") == 0) {
    const struct rlimit limit = {0, 0};
    return setrlimit(RLIMIT_FSIZE, &limit) == 0;
  } else if (strcmp(step, "closefrom") == 0) {
    closefrom(0);
  } else {
    return 0;
  }
  return 1;
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (!Step(argv[i])) return 99;
  }
  printf("Held %d %d\nWide %d %d\nChurned 0 0\nLarge 0 0\n", g_held * 100,
         g_held, g_wide * 64, g_wide);
  if (g_millions != 0) printf("Million %ld %ld\n", g_millions * 16, g_millions);
  fflush(stdout);
  if (g_strict) syscall(SYS_exit, 0);  // exit_group is not allowed there
  return 0;
}
