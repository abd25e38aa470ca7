// SPDX-License-Identifier: Apache-2.0
// Runs one command and writes what it took: CPU time of it and of all children
// that it waited for, wall time, and the peak RSS of the largest of them.
//
// A program of its own because the kernel counts towards a process' peak what
// it held before exec: started from an interpreter, every program would seem as
// large as that. And LD_PRELOAD is set for the command alone.
//
// Usage: launch REPORT [NAME=VALUE…] -- COMMAND [ARGUMENT…]
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) * 1e-6;
}

double Now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_nsec) * 1e-9;
}

[[noreturn]] void Become(char** settings, char** command) {
  // Nothing is left running when the benchmark is given up.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (; strcmp(*settings, "--") != 0; ++settings) putenv(*settings);
  execvp(command[0], command);
  perror(command[0]);
  _exit(127);
}

}  // namespace

int main(int argc, char** argv) {
  int dashes = 2;
  while (dashes < argc && strcmp(argv[dashes], "--") != 0) ++dashes;
  if (dashes + 1 >= argc) {
    fputs("usage: launch REPORT [NAME=VALUE...] -- COMMAND [ARGUMENT...]\n",
          stderr);
    return 2;
  }
  const double start = Now();
  const pid_t child = fork();
  if (child == 0) Become(argv + 2, argv + dashes + 1);
  if (child < 0) {
    perror("fork");
    return 1;
  }
  int status = 0;
  rusage usage;
  if (wait4(child, &status, 0, &usage) != child) {
    perror("wait4");
    return 1;
  }
  const double wall = Now() - start;

  FILE* const report = fopen(argv[1], "w");
  if (report == nullptr) {
    perror(argv[1]);
    return 1;
  }
  fprintf(report,
          "{\"user\": %.6f, \"system\": %.6f, \"wall\": %.6f, "
          "\"peak_kib\": %ld}\n",
          Seconds(usage.ru_utime), Seconds(usage.ru_stime), wall,
          usage.ru_maxrss);
  fclose(report);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
