// SPDX-License-Identifier: Apache-2.0
// Allocates and frees as fast as it can until killed, and grows a little: for
// looking at a program from outside. Arguments: threads, seconds. With a third
// one it ends of itself by that exit status.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#define NOINLINE __attribute__((noinline, noclone, used))

NOINLINE void* Temporary(std::size_t bytes) {
  void* const block = std::malloc(bytes);
  __asm__ volatile("" ::: "memory");
  return block;
}

NOINLINE void* Growing() {
  void* const block = std::malloc(512);
  __asm__ volatile("" ::: "memory");
  return block;
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
  const int seconds = argc > 2 ? std::atoi(argv[2]) : 60;
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([end] {
      for (long i = 0; std::chrono::steady_clock::now() < end; ++i) {
        void* blocks[64];
        for (std::size_t n = 0; n < 64; ++n) blocks[n] = Temporary(n * 16);
        for (void* block : blocks) std::free(block);
        if (i % 64 == 0) (void)Growing();
      }
    });
  }
  std::puts("started");
  std::fflush(stdout);
  for (std::thread& thread : all) thread.join();
  _exit(argc > 3 ? std::atoi(argv[3]) : 0);
}
