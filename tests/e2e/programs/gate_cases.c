// SPDX-License-Identifier: Apache-2.0
// What a test may do below the gate: gate_cases CASE [ARGUMENT]
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct Node {
  struct Node* next;
  char payload[56];
};

void* g_kept[64];

// Each in a function of its own, to be found by its name.
__attribute__((noinline)) void LoseBlocks(int count, size_t bytes) {
  for (int i = 0; i < count; ++i) {
    void* volatile block = malloc(bytes);
    memset(block, 1, bytes);
    block = NULL;
  }
}

// A head that nothing names, and three nodes that only it leads to.
__attribute__((noinline)) void LoseChain(void) {
  struct Node* volatile head = NULL;
  for (int i = 0; i < 4; ++i) {
    struct Node* const node = malloc(sizeof *node);
    node->next = head;
    head = node;
  }
  head = NULL;
}

__attribute__((noinline)) void KeepBlocks(int count, size_t bytes) {
  for (int i = 0; i < count; ++i) {
    void* const block = malloc(bytes);
    memset(block, 1, bytes);
    g_kept[i % 64] = block;
  }
}

// One more than was in the file, which is what a repeated test leaves behind.
static int CountUp(const char* path) {
  int count = 0;
  FILE* file = fopen(path, "r");
  if (file != NULL) {
    if (fscanf(file, "%d", &count) != 1) count = 0;
    fclose(file);
  }
  file = fopen(path, "w");
  if (file == NULL) exit(9);
  fprintf(file, "%d", count + 1);
  fclose(file);
  return count + 1;
}

static int InChild(void (*work)(void), int wait) {
  const pid_t child = fork();
  if (child == 0) {
    work();
    exit(0);
  }
  if (wait) waitpid(child, NULL, 0);
  return 0;
}

static void LoseInChild(void) { LoseBlocks(2, 40); }
static void Crash(void) {
  free(malloc(1));
  abort();
}
static void Linger(void) {
  struct timespec pause = {0, 300000000};
  nanosleep(&pause, NULL);
  LoseBlocks(1, 80);
}

static int Spawn(char** command) {
  const pid_t child = vfork();
  if (child == 0) {
    execv(command[0], command);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

int main(int argc, char** argv) {
  const char* const what = argc > 1 ? argv[1] : "";
  const char* const argument = argc > 2 ? argv[2] : "";
  if (strcmp(what, "clean") == 0) {
    free(malloc(10));
  } else if (strcmp(what, "leak") == 0) {
    LoseBlocks(3, 32);
  } else if (strcmp(what, "chain") == 0) {
    LoseChain();
  } else if (strcmp(what, "linger") == 0) {
    Linger();
  } else if (strcmp(what, "keep") == 0) {
    KeepBlocks(5, 100);
  } else if (strcmp(what, "leak-and-fail") == 0) {
    LoseBlocks(3, 32);
    return atoi(argument);
  } else if (strcmp(what, "child") == 0) {
    return InChild(LoseInChild, 1);
  } else if (strcmp(what, "crashing-child") == 0) {
    return InChild(Crash, 1);
  } else if (strcmp(what, "outliving-child") == 0) {
    return InChild(Linger, 0);
  } else if (strcmp(what, "inherit") == 0) {
    LoseBlocks(3, 32);  // the parent's to answer for
    return InChild(Linger, 1);
  } else if (strcmp(what, "kill") == 0) {
    raise(atoi(argument));
  } else if (strcmp(what, "raw-exit") == 0) {
    syscall(SYS_exit_group, 0);
  } else if (strcmp(what, "spawn") == 0) {
    return Spawn(argv + 2);
  } else if (strcmp(what, "exec") == 0) {
    execv(argument, argv + 2);
    return 127;
  } else if (strcmp(what, "grow") == 0) {
    KeepBlocks(CountUp(argument), 100);
  } else if (strcmp(what, "sometimes") == 0) {
    if (CountUp(argument) % 2 == 0) LoseBlocks(1, 50);
  } else if (strcmp(what, "many") == 0) {
    for (int i = 0; i < atoi(argument); ++i) {
      char* command[] = {argv[0], i == 7 ? "leak" : "clean", NULL};
      Spawn(command);
    }
  } else {
    fprintf(stderr, "gate_cases: no case '%s'\n", what);
    return 2;
  }
  return 0;
}
