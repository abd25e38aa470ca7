// SPDX-License-Identifier: Apache-2.0
// Waits for a signal that only one thread of the process may take, and says how
// many threads there are and what they are called.
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "site.h"

SITE(Held)

static void Threads(void) {
  DIR* const directory = opendir("/proc/self/task");
  for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    char path[300];
    char name[64] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
    FILE* const file = fopen(path, "r");
    if (file != NULL && fgets(name, sizeof name, file) != NULL) {
      printf("thread %s", name);
    }
    if (file != NULL) fclose(file);
  }
  closedir(directory);
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int taken = 0;
  for (int i = 0; i < 100; ++i) {
    // A thread that does not block it would die of it.
    kill(getpid(), SIGUSR1);
    int which = 0;
    if (sigwait(&set, &which) == 0 && which == SIGUSR1) ++taken;
    free(malloc((size_t)i));
  }
  (void)Held(100);
  printf("taken %d\n", taken);
  Threads();
  printf("Held 100 1\n");
  fflush(stdout);
  return 0;
}
