// SPDX-License-Identifier: Apache-2.0
// Children that no atfork handler knows of: the fork system call, clone and
// clone3 without CLONE_VM, and a fork into a new pid namespace. Each child
// frees 10 of 20 inherited blocks and allocates 5. Prints what the parent
// holds.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "site.h"

SITE(Kept)
SITE(ParentOwn)
SITE(ChildOwn)

static void* g_kept[20];
static char g_stack[256 * 1024] __attribute__((aligned(16)));

static int Child(void* unused) {
  (void)unused;
  for (int i = 0; i < 5; ++i) (void)ChildOwn(51);
  for (int i = 0; i < 10; ++i) free(g_kept[i]);
  for (int i = 0; i < 1000; ++i) free(ChildOwn((size_t)i));
  _exit(5);
}

static pid_t StartChild(int how) {
  struct {
    uint64_t words[8];
  } arguments;
  switch (how) {
    case 0:
      return (pid_t)syscall(SYS_fork);
    case 1:
      return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    case 2:
      return clone(Child, g_stack + sizeof g_stack, SIGCHLD, NULL);
    case 3:
      memset(&arguments, 0, sizeof arguments);
      arguments.words[4] = SIGCHLD;
      return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    default:
      return fork();
  }
}

int main(int argc, char** argv) {
  const int new_namespace = argc > 1 && strcmp(argv[1], "namespace") == 0;
  for (int i = 0; i < 20; ++i) g_kept[i] = Kept(99);
  for (int round = 0; round < (new_namespace ? 1 : 80); ++round) {
    if (new_namespace && unshare(CLONE_NEWPID) != 0) return 77;
    const pid_t pid = StartChild(new_namespace ? 4 : round % 4);
    if (pid == 0) Child(NULL);
    for (int i = 0; i < 1000; ++i) free(ParentOwn((size_t)i));
    (void)ParentOwn(13);
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 5) {
      printf("child %d ended with %x\n", round, status);
      return 1;
    }
  }
  const int own = new_namespace ? 1 : 80;
  printf("Kept %d 20\nParentOwn %d %d\nChildOwn 0 0\n", 20 * 99, 13 * own, own);
  fflush(stdout);
  return 0;
}
