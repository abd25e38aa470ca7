// SPDX-License-Identifier: Apache-2.0
// 200 fibers on stacks of their own (half mapped, half from the heap) that
// allocate, throw and catch between switches, and are resumed now by one
// thread, now by another. Prints what is live at the end.
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

#include "site.h"

SITE(Temporary)
SITE(KeptByFiber)

namespace {

constexpr int kFibers = 200;
constexpr int kRounds = 20;
constexpr std::size_t kStackBytes = 64 * 1024;

struct Fiber {
  ucontext_t context;
  ucontext_t* resumer;
  int rounds = 0;
  bool done = false;
};
Fiber g_fibers[kFibers];

__attribute__((noinline)) void Deep(int depth) {
  free(Temporary(static_cast<std::size_t>(depth) * 16));
  if (depth == 0) throw std::runtime_error(std::string(60, 'f'));
  Deep(depth - 1);
  __asm__ volatile("" : : : "memory");
}

__attribute__((noinline)) bool ThrowAndCatch(int depth) {
  try {
    Deep(depth);
  } catch (const std::runtime_error& error) {
    return std::strlen(error.what()) == 60;
  }
  return false;
}

// Where a fiber goes on is not known to a compiler that keeps addresses of
// thread-local storage over a switch: nothing here has any.
__attribute__((noinline)) void Yield(Fiber* fiber) {
  swapcontext(&fiber->context, fiber->resumer);
}

void Body(unsigned high, unsigned low) {
  auto* const fiber =
      reinterpret_cast<Fiber*>(static_cast<unsigned long>(high) << 32 | low);
  for (; fiber->rounds < kRounds; ++fiber->rounds) {
    void* const block = Temporary(100);
    if (!ThrowAndCatch(fiber->rounds % 9)) _exit(5);
    Yield(fiber);
    free(block);
  }
  (void)KeptByFiber(44);
  fiber->done = true;
  Yield(fiber);
}

struct Range {
  int begin;
  int end;
};

void* Resume(void* argument) {
  const auto* const range = static_cast<const Range*>(argument);
  ucontext_t own;
  for (int i = range->begin; i < range->end; ++i) {
    Fiber& fiber = g_fibers[i];
    if (fiber.done) continue;
    fiber.resumer = &own;
    swapcontext(&own, &fiber.context);
  }
  return nullptr;
}

void Prepare(Fiber* fiber, bool on_heap) {
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp =
      on_heap ? malloc(kStackBytes)
              : mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fiber->context.uc_stack.ss_size = kStackBytes;
  fiber->context.uc_link = nullptr;
  const auto address = reinterpret_cast<unsigned long>(fiber);
  makecontext(&fiber->context, reinterpret_cast<void (*)()>(Body), 2,
              static_cast<unsigned>(address >> 32),
              static_cast<unsigned>(address));
}

}  // namespace

int main() {
  for (int i = 0; i < kFibers; ++i) Prepare(&g_fibers[i], i % 2 == 0);
  // Two threads, and the main one; whose fibers are whose changes each time.
  for (int round = 0; round <= kRounds; ++round) {
    const int cut = 1 + (round * 37) % (kFibers - 2);
    Range first{0, cut};
    Range second{cut, kFibers};
    pthread_t thread;
    if (pthread_create(&thread, nullptr, Resume, &first) != 0) return 2;
    Resume(&second);
    pthread_join(thread, nullptr);
  }
  for (const Fiber& fiber : g_fibers) {
    if (!fiber.done) return 3;
  }
  std::printf("Temporary 0 0\nKeptByFiber %d %d\n", kFibers * 44, kFibers);
  std::fflush(stdout);
  return 0;
}
