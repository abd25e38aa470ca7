// SPDX-License-Identifier: Apache-2.0
// Holds three blocks of 100 bytes and ends in the way that it is told.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "site.h"

SITE(Held)
SITE(HeldAtExit)

static const char* g_how;
static ucontext_t g_main;
static ucontext_t g_fiber;
static char g_stack[128 * 1024] __attribute__((aligned(16)));

static volatile unsigned long g_wild = 8;
static void Fault(void) { *(volatile int*)g_wild = 1; }

static void AtExit(void) { (void)HeldAtExit(20); }

static void InHandler(int signal) {
  (void)signal;
  if (strcmp(g_how, "handler_exit") == 0) exit(41);
  _exit(42);
}

static void* InThread(void* unused) {
  if (strcmp(g_how, "thread_exit") == 0) exit(43);
  if (strcmp(g_how, "thread__exit") == 0) _exit(44);
  usleep(20000);
  (void)Held(1);
  return unused;
}

static void InOverflow(int signal) {
  (void)signal;
  _exit(46);
}

// Allocates on its way down to the guard page.
__attribute__((noinline)) static int Recurse(int depth) {
  volatile char frame[200];
  free(malloc(24));
  frame[0] = (char)depth;
  return depth < 1000000000 ? Recurse(depth + 1) + frame[0] : 0;
}

static void* Overflow(void* unused) {
  static char stacks[2][16 * 1024];
  const stack_t area = {.ss_sp = stacks[unused != NULL], .ss_size = 16 * 1024};
  sigaltstack(&area, NULL);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = InOverflow;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGSEGV, &action, NULL);
  (void)Recurse(0);
  return unused;
}

static void InFiber(void) { exit(45); }

static int RunThread(int leave) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, InThread, NULL) != 0) return 99;
  if (leave) pthread_exit(NULL);
  pthread_join(thread, NULL);
  return 98;
}

int main(int argc, char** argv) {
  g_how = argc > 1 ? argv[1] : "return";
  for (int i = 0; i < 3; ++i) (void)Held(100);
  atexit(AtExit);
  at_quick_exit(AtExit);
  const char* const how = g_how;
  if (strcmp(how, "return") == 0) return 11;
  if (strcmp(how, "exit") == 0) exit(12);
  if (strcmp(how, "_exit") == 0) _exit(13);
  if (strcmp(how, "_Exit") == 0) _Exit(14);
  if (strcmp(how, "quick_exit") == 0) quick_exit(15);
  if (strcmp(how, "abort") == 0) abort();
  if (strcmp(how, "segv") == 0) Fault();
  if (strcmp(how, "kill") == 0) kill(getpid(), SIGKILL);
  if (strcmp(how, "term") == 0) kill(getpid(), SIGTERM);
  if (strcmp(how, "syscall") == 0) syscall(SYS_exit_group, 16);
  if (strcmp(how, "pthread_exit") == 0) pthread_exit(NULL);
  if (strcmp(how, "pthread_exit_last") == 0) return RunThread(1);
  if (strncmp(how, "thread_", 7) == 0) return RunThread(0);
  if (strncmp(how, "handler_", 8) == 0) {
    signal(SIGUSR1, InHandler);
    raise(SIGUSR1);
  }
  if (strcmp(how, "overflow") == 0) (void)Overflow(NULL);
  if (strcmp(how, "overflow_thread") == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, Overflow, &g_main);
    pthread_join(thread, NULL);
  }
  if (strcmp(how, "fiber") == 0) {
    getcontext(&g_fiber);
    g_fiber.uc_stack.ss_sp = g_stack;
    g_fiber.uc_stack.ss_size = sizeof g_stack;
    makecontext(&g_fiber, InFiber, 0);
    swapcontext(&g_main, &g_fiber);
  }
  if (strcmp(how, "exec_self") == 0) execl(argv[0], argv[0], "exit", NULL);
  if (strcmp(how, "exec_failed") == 0) {
    execl("/nowhere/at/all", "all", NULL);
    return 17;
  }
  if (strcmp(how, "exec_other") == 0) execl("/bin/true", "true", NULL);
  if (strcmp(how, "exec_bare") == 0) {
    char* const none[] = {NULL};
    execle("/bin/sleep", "sleep", argv[2], NULL, none);
  }
  return 97;
}
