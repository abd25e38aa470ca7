// SPDX-License-Identifier: Apache-2.0
// Children that borrow the parent's memory: vfork, posix_spawn, clone with
// CLONE_VM | CLONE_VFORK; some allocate. Prints what the process holds, waits
// for a byte on stdin, and ends.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "site.h"

SITE(Kept)
SITE(Borrowed)
SITE(LeftByChild)

extern char** environ;
static char g_stack[256 * 1024] __attribute__((aligned(16)));
static void* volatile g_kept;

static int InClone(void* unused) {
  (void)unused;
  for (int i = 0; i < 100; ++i) free(Borrowed((size_t)i * 8));
  (void)LeftByChild(64);
  free(g_kept);
  _exit(6);
}

static int Wait(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

__attribute__((noinline)) static int Vfork(void) {
  const pid_t pid = vfork();
  if (pid == 0) {
    free(Borrowed(32));
    _exit(4);
  }
  return Wait(pid);
}

__attribute__((noinline)) static int VforkExec(const char* file) {
  const pid_t pid = vfork();
  if (pid == 0) {
    execl(file, file, (char*)NULL);
    _exit(127);
  }
  return Wait(pid);
}

int main(void) {
  char true_name[] = "true";
  char* const arguments[] = {true_name, NULL};
  for (int i = 0; i < 50; ++i) {
    g_kept = Kept(48);
    (void)Kept(16);
    if (Vfork() != 4) return 2;
    if (VforkExec("/bin/true") != 0) return 3;
    if (VforkExec("/nowhere/at/all") != 127) return 4;
    pid_t pid = 0;
    if (posix_spawnp(&pid, "true", NULL, NULL, arguments, environ) != 0 ||
        Wait(pid) != 0) {
      return 5;
    }
    if (posix_spawnp(&pid, "/nowhere/at/all", NULL, NULL, arguments, environ) ==
        0) {
      return 6;
    }
    if (system("exit 3") != 3 << 8) return 7;
    pid = clone(InClone, g_stack + sizeof g_stack,
                CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    if (Wait(pid) != 6) return 8;
  }
  printf("Kept %d 50\nBorrowed 0 0\nLeftByChild %d 50\n", 50 * 16, 50 * 64);
  fflush(stdout);
  char byte;
  if (read(0, &byte, 1) < 0) return 9;
  return 0;
}
