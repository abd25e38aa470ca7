// SPDX-License-Identifier: Apache-2.0
// A program that hears of pressure; each word it says begins with its way:
// poll, wait, callbacks, fork, or alone (without the shim). Ends when pressure
// is over.
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heapledger/heapledger.h"

static void Say(const char* word, int number) {
  printf("%s %d\n", word, number);
  fflush(stdout);
}

static int Poll(void) {
  for (;;) {
    errno = 4711;
    const int level = heapledger_poll_pressure();
    if (errno != 4711) return 1;
    if (level != HEAPLEDGER_PRESSURE_NONE) Say("poll", level);
    if (level == HEAPLEDGER_PRESSURE_OVER) return 0;
    usleep(2000);
  }
}

static int Wait(void) {
  for (;;) {
    const int level = heapledger_wait_pressure(-1);
    Say("wait", level);
    if (level == HEAPLEDGER_PRESSURE_OVER) return 0;
  }
}

static int g_over;
static int g_once;

static void Clear(int level, void* context) {
  // What a cache does: this is an ordinary place for it.
  free(malloc(100000));
  usleep(2000);
  Say(context, level);
  if (level == HEAPLEDGER_PRESSURE_OVER) g_over = 1;
}

static void Once(int level, void* context) {
  Say(context, level);
  if (heapledger_off_pressure(g_once) != 1) abort();
}

static void* Compete(void* argument) {
  Say("second", heapledger_run_pressure_callbacks(-1));
  return argument;
}

static int RunAll(void) {
  while (!g_over) {
    const int ran = heapledger_run_pressure_callbacks(-1);
    Say("ran", ran);
  }
  return 0;
}

static int Callbacks(void) {
  if (heapledger_on_pressure(0, Clear, NULL) != 0) return 1;
  if (heapledger_on_pressure(6, Clear, NULL) != 0) return 1;
  if (heapledger_on_pressure(1, NULL, NULL) != 0) return 1;
  const int low = heapledger_on_pressure(HEAPLEDGER_PRESSURE_LOW, Clear, "low");
  const int high =
      heapledger_on_pressure(HEAPLEDGER_PRESSURE_HIGH, Clear, "high");
  g_once = heapledger_on_pressure(HEAPLEDGER_PRESSURE_LOW, Once, "once");
  const int gone = heapledger_on_pressure(1, Clear, "gone");
  if (low <= 0 || high <= 0 || g_once <= 0 || gone <= 0) return 1;
  if (heapledger_off_pressure(gone) != 1) return 1;
  if (heapledger_off_pressure(gone) != 0) return 1;
  if (heapledger_run_pressure_callbacks(20) != 0) return 1;
  Say("registered", 0);
  return RunAll();
}

// Registration under fire: others are added and removed while callbacks run.
static void* Churn(void* argument) {
  for (int i = 0; !g_over; ++i) {
    const int id = heapledger_on_pressure(1 + i % 4, Clear, "churn");
    if (id > 0 && heapledger_off_pressure(id) != 1) abort();
  }
  return argument;
}

static int Storm(void) {
  pthread_t threads[3];
  const int id = heapledger_on_pressure(1, Clear, "storm");
  if (id <= 0) return 1;
  for (int i = 0; i < 2; ++i) pthread_create(&threads[i], NULL, Churn, NULL);
  Say("registered", 0);
  while (!g_over) heapledger_run_pressure_callbacks(1000);
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  return 0;
}

static int Fork(void) {
  if (heapledger_on_pressure(1, Clear, "child") <= 0) return 1;
  pthread_t competitor;
  pthread_create(&competitor, NULL, Compete, NULL);
  usleep(50000);
  if (heapledger_run_pressure_callbacks(0) != HEAPLEDGER_BUSY) return 1;
  const pid_t child = fork();
  if (child == 0) {
    // The thread that was at it is its parent's.
    if (heapledger_run_pressure_callbacks(0) != 0) _exit(1);
    Say("pid", (int)getpid());
    _exit(RunAll());
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return 1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int Alone(void) {
  return heapledger_on_pressure(1, Clear, NULL) == HEAPLEDGER_NO_SHIM &&
                 heapledger_off_pressure(1) == HEAPLEDGER_NO_SHIM &&
                 heapledger_poll_pressure() == HEAPLEDGER_NO_SHIM &&
                 heapledger_wait_pressure(-1) == HEAPLEDGER_NO_SHIM &&
                 heapledger_run_pressure_callbacks(-1) == HEAPLEDGER_NO_SHIM
             ? 0
             : 1;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  if (strcmp(argv[1], "alone") == 0) return Alone();
  if (strcmp(argv[1], "wait") == 0 &&
      heapledger_wait_pressure(20) != HEAPLEDGER_PRESSURE_NONE) {
    return 1;
  }
  Say("begin", 0);
  if (strcmp(argv[1], "poll") == 0) return Poll();
  if (strcmp(argv[1], "wait") == 0) return Wait();
  if (strcmp(argv[1], "callbacks") == 0) return Callbacks();
  if (strcmp(argv[1], "storm") == 0) return Storm();
  if (strcmp(argv[1], "fork") == 0) return Fork();
  return 2;
}
