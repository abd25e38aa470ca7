// SPDX-License-Identifier: Apache-2.0
// Threads hand blocks to each other: what one allocates another frees. Prints
// what is live at the end: "function bytes objects". Argument: threads.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#define NOINLINE __attribute__((noinline, noclone, used))

namespace {

constexpr int kSlots = 1024;
std::atomic<void*> g_slots[kSlots];

}  // namespace

NOINLINE void* HandedOver(std::size_t bytes) {
  void* const block = std::malloc(bytes);
  __asm__ volatile("" ::: "memory");
  return block;
}

NOINLINE void* KeptByThread() {
  void* const block = std::malloc(48);
  __asm__ volatile("" ::: "memory");
  return block;
}

NOINLINE void Work(int thread) {
  unsigned random = static_cast<unsigned>(thread) * 2654435761U + 1;
  for (int i = 0; i < 20000; ++i) {
    random = random * 1664525 + 1013904223;
    void* const mine = HandedOver(random >> 20);
    void* const theirs = g_slots[(random >> 8) % kSlots].exchange(mine);
    std::free(theirs);
  }
  (void)KeptByThread();
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 8;
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) all.emplace_back(Work, i);
  for (std::thread& thread : all) thread.join();
  for (auto& slot : g_slots) std::free(slot.exchange(nullptr));
  std::printf("HandedOver 0 0\nKeptByThread %d %d\n", 48 * threads, threads);
  std::fflush(stdout);
  return 0;
}
