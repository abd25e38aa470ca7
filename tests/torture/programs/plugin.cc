// SPDX-License-Identifier: Apache-2.0
// A plugin. PLUGIN names its functions, so that two of them can be told apart.
#include <pthread.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

#define JOIN(a, b) a##b
#define NAME(a, b) JOIN(a, b)
#define EXPORT extern "C" __attribute__((noinline, visibility("default")))

namespace {

thread_local int t_calls = 0;
void* g_block = std::malloc(333);  // by a constructor

__attribute__((destructor)) void Unload() { std::free(g_block); }

void* InThread(void*) {
  std::free(std::malloc(11));
  return nullptr;
}

}  // namespace

EXPORT void* NAME(PLUGIN, Allocate)(std::size_t bytes) {
  void* block = std::malloc(bytes);
  __asm__ volatile("" : "+r"(block) : : "memory");
  return block;
}

EXPORT void NAME(PLUGIN, Free)(void* block) { std::free(block); }

// Throws, catches, starts and ends a thread.
EXPORT int NAME(PLUGIN, Exercise)() {
  try {
    throw std::runtime_error(std::string(100, 'x'));
  } catch (const std::exception& error) {
    ++t_calls;
  }
  pthread_t thread;
  if (pthread_create(&thread, nullptr, InThread, nullptr) != 0) return 0;
  pthread_join(thread, nullptr);
  return 1;
}
