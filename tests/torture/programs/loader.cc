// SPDX-License-Identifier: Apache-2.0
// Loads and unloads plugins. Arguments: rounds, storm, ending (amid the storm),
// deepbind or dlmopen; the paths of plugins A and B. Prints what is live at the
// end.
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

#include "site.h"

SITE(Crossing)
SITE(InCallback)
SITE(InThread)
SITE(Thrown)

namespace {

using AllocateFunction = void* (*)(std::size_t);
using FreeFunction = void (*)(void*);
using ExerciseFunction = int (*)();

[[noreturn]] void Fail(const char* what) {
  std::printf("%s: %s\n", what, dlerror());
  std::fflush(stdout);
  _exit(2);
}

template <typename Function>
Function Find(void* plugin, const char* name) {
  auto const found = reinterpret_cast<Function>(dlsym(plugin, name));
  if (found == nullptr) Fail(name);
  return found;
}

void* Open(const char* path, int flags = RTLD_NOW | RTLD_LOCAL) {
  void* const plugin = dlopen(path, flags);
  if (plugin == nullptr) Fail(path);
  return plugin;
}

void RunRounds(const char* a, const char* b) {
  for (int round = 0; round < 60; ++round) {
    void* plugin = Open(a);
    if (Find<AllocateFunction>(plugin, "PluginAAllocate")(40) == nullptr) {
      Fail("A");
    }
    if (Find<ExerciseFunction>(plugin, "PluginAExercise")() != 1) Fail("A");
    dlclose(plugin);
    plugin = Open(b);
    if (Find<AllocateFunction>(plugin, "PluginBAllocate")(50) == nullptr) {
      Fail("B");
    }
    dlclose(plugin);
  }
  std::printf("PluginAAllocate 2400 60\nPluginBAllocate 3000 60\n");
}

std::atomic<bool> g_stop{false};
const char* g_path_a;
const char* g_path_b;

void* OpenAndClose(void*) {
  while (!g_stop.load()) {
    void* const a = Open(g_path_a);
    void* const b = Open(g_path_b);
    void* const block = Find<AllocateFunction>(a, "PluginAAllocate")(60);
    Find<FreeFunction>(b, "PluginBFree")(block);
    dlclose(a);
    dlclose(b);
  }
  return nullptr;
}

__attribute__((noinline)) void Throw(int depth) {
  void* const block = Thrown(static_cast<std::size_t>(depth) * 10);
  free(block);
  if (depth == 0) throw std::runtime_error(std::string(50, 'y'));
  Throw(depth - 1);
  __asm__ volatile("" : : : "memory");
}

void* ThrowAndCatch(void*) {
  while (!g_stop.load()) {
    try {
      Throw(12);
    } catch (const std::exception&) {
    }
  }
  return nullptr;
}

int Callback(dl_phdr_info*, std::size_t, void*) {
  free(InCallback(70));
  return 0;
}

void* Iterate(void*) {
  while (!g_stop.load()) dl_iterate_phdr(Callback, nullptr);
  return nullptr;
}

void* Short(void*) {
  free(InThread(80));
  return nullptr;
}

void* StartThreads(void*) {
  while (!g_stop.load()) {
    pthread_t threads[4];
    for (pthread_t& thread : threads) {
      if (pthread_create(&thread, nullptr, Short, nullptr) != 0) Fail("thread");
    }
    for (pthread_t thread : threads) pthread_join(thread, nullptr);
  }
  return nullptr;
}

void StartStorm(pthread_t (&threads)[4]) {
  alarm(60);
  void* (*const bodies[])(void*) = {OpenAndClose, ThrowAndCatch, Iterate,
                                    StartThreads};
  for (int i = 0; i < 4; ++i) {
    pthread_create(&threads[i], nullptr, bodies[i], nullptr);
  }
}

// Ends while others hold the loader's lock, or wait for it.
void RunEnding() {
  pthread_t threads[4];
  StartStorm(threads);
  usleep(200000);
  std::printf("ends\n");
  std::fflush(stdout);
  _exit(7);
}

void RunStorm() {
  pthread_t threads[4];
  StartStorm(threads);
  sleep(4);
  g_stop.store(true);
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  std::printf(
      "PluginAAllocate 0 0\nThrown 0 0\nInCallback 0 0\nInThread 0 0\n");
}

// A plugin that goes past us frees what we saw, and the reverse.
void RunDeepbind(const char* path) {
  void* const plugin = Open(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  const auto allocate = Find<AllocateFunction>(plugin, "PluginAAllocate");
  const auto release = Find<FreeFunction>(plugin, "PluginAFree");
  void* blocks[50];
  for (void*& block : blocks) block = allocate(200);
  for (void* block : blocks) free(block);
  for (int round = 0; round < 20; ++round) {
    for (void*& block : blocks) block = Crossing(120);
    for (void* block : blocks) release(block);
  }
  for (void*& block : blocks) block = Crossing(120);
  for (void* block : blocks) free(block);
  if (Find<ExerciseFunction>(plugin, "PluginAExercise")() != 1) Fail("A");
  dlclose(plugin);
}

// A second libc beside ours.
void RunDlmopen(const char* path) {
  for (int round = 0; round < 5; ++round) {
    void* const plugin = dlmopen(LM_ID_NEWLM, path, RTLD_NOW | RTLD_LOCAL);
    if (plugin == nullptr) Fail(path);
    const auto allocate = Find<AllocateFunction>(plugin, "PluginAAllocate");
    const auto release = Find<FreeFunction>(plugin, "PluginAFree");
    for (int i = 0; i < 100; ++i) {
      void* const block = allocate(static_cast<std::size_t>(i));
      free(Crossing(64));
      release(block);
    }
    if (Find<ExerciseFunction>(plugin, "PluginAExercise")() != 1) Fail("A");
    dlclose(plugin);
  }
  std::printf("Crossing 0 0\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 1;
  const char* const how = argv[1];
  g_path_a = argv[2];
  g_path_b = argv[3];
  if (std::strcmp(how, "rounds") == 0) RunRounds(g_path_a, g_path_b);
  if (std::strcmp(how, "storm") == 0) RunStorm();
  if (std::strcmp(how, "ending") == 0) RunEnding();
  if (std::strcmp(how, "deepbind") == 0) RunDeepbind(g_path_a);
  if (std::strcmp(how, "dlmopen") == 0) RunDlmopen(g_path_a);
  std::fflush(stdout);
  return 0;
}
