// SPDX-License-Identifier: Apache-2.0
// Ends in every way that an obituary must tell apart. Every case first keeps
// 3 MiB in Hold() and says "ready".
//
//   obituary_cases leak MIB_PER_SECOND   keeps what Leak() gets, until killed
//   obituary_cases wait | segv | abort | raise SIGNAL | exit STATUS
//   obituary_cases raw_exit STATUS       by the system call, past libc
//   obituary_cases family COUNT          forks COUNT children that wait as well
//   obituary_cases brief                 exits at once
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr std::size_t kMib = std::size_t{1} << 20;

void* volatile g_kept = nullptr;

// The block knows the one before it, so that all are reachable.
[[gnu::noinline]] void Keep(void* block, std::size_t bytes) {
  std::memset(block, 'x', bytes);
  std::memcpy(block, const_cast<void**>(&g_kept), sizeof(void*));
  g_kept = block;
}

[[gnu::noinline]] void Hold() {
  Keep(std::malloc(3 * kMib), 3 * kMib);
  asm volatile("");  // no tail call: the line is Hold's
}

[[gnu::noinline]] void Leak() {
  constexpr std::size_t kBlock = kMib / 16;
  Keep(std::malloc(kBlock), kBlock);  // the planted leak
  asm volatile("");
}

void LeakForEver(double mib_per_second) {
  const auto pause = static_cast<useconds_t>(1e6 / 16 / mib_per_second);
  for (;;) {
    Leak();
    usleep(pause);
  }
}

void Ready() {
  std::puts("ready");
  std::fflush(stdout);
}

[[gnu::noinline]] void Crash() {
  volatile int* volatile nowhere = nullptr;
  *nowhere = 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const int number = argc > 2 ? std::atoi(argv[2]) : 0;
  Hold();
  if (what == "brief") return 0;
  if (what == "family") {
    for (int i = 0; i < number; ++i) {
      if (fork() == 0) {
        Hold();
        for (;;) pause();
      }
    }
  }
  Ready();
  if (what == "leak") LeakForEver(std::atof(argv[2]));
  if (what == "wait" || what == "family") {
    for (;;) pause();
  }
  // Long enough for a collector to have seen it.
  sleep(2);
  if (what == "segv") Crash();
  if (what == "abort") std::abort();
  if (what == "raise") raise(number);
  if (what == "raw_exit") syscall(SYS_exit_group, number);
  return number;
}
