// SPDX-License-Identifier: Apache-2.0
// Threads in numbers, and threads that allocate while they end. Argument:
// together, row, storage or detached. Prints what is live at the end.
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>

#include "site.h"

SITE(Temporary)
SITE(Kept)
SITE(InKeyDestructor)
SITE(InStorageDestructor)
SITE(Endless)

namespace {

std::size_t SmallestStack() {
  return static_cast<std::size_t>(sysconf(_SC_THREAD_STACK_MIN));
}

void Start(pthread_t* thread, void* (*body)(void*), void* argument,
           bool detached = false) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, SmallestStack());
  if (detached) {
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  }
  if (pthread_create(thread, &attributes, body, argument) != 0) {
    std::puts("no thread");
    std::fflush(stdout);
    _exit(3);
  }
  pthread_attr_destroy(&attributes);
}

// Together: every thread allocates, waits for all, frees what another one
// allocated.
constexpr long kTogether = 1000;
pthread_barrier_t g_barrier;
void* g_handed[kTogether];

void* Together(void* argument) {
  const long self = reinterpret_cast<long>(argument);
  g_handed[self] = Temporary(64);
  (void)Kept(32);
  pthread_barrier_wait(&g_barrier);
  free(g_handed[(self + 1) % kTogether]);
  for (int i = 0; i < 20; ++i) free(Temporary(static_cast<std::size_t>(i)));
  return nullptr;
}

void RunTogether() {
  static pthread_t threads[kTogether];
  pthread_barrier_init(&g_barrier, nullptr, kTogether);
  for (long i = 0; i < kTogether; ++i) {
    Start(&threads[i], Together, reinterpret_cast<void*>(i));
  }
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  std::printf("Temporary 0 0\nKept %ld %ld\n", kTogether * 32, kTogether);
}

// Row: one after the other.
void* InRow(void* argument) {
  free(Temporary(100));
  if (reinterpret_cast<long>(argument) % 1000 == 0) (void)Kept(16);
  return nullptr;
}

long ResidentPages() {
  char text[64] = {};
  long all = 0;
  long resident = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file != nullptr) {
    if (std::fgets(text, sizeof text, file) != nullptr) {
      std::sscanf(text, "%ld %ld", &all, &resident);
    }
    std::fclose(file);
  }
  return resident;
}

void RunRow() {
  constexpr long kThreads = 100000;
  long before = 0;
  for (long i = 0; i < kThreads; ++i) {
    pthread_t thread;
    Start(&thread, InRow, reinterpret_cast<void*>(i));
    pthread_join(thread, nullptr);
    if (i == 2000) before = ResidentPages();
  }
  const long grown = (ResidentPages() - before) * 4;
  if (grown >= 1024) std::printf("grown by %ld KiB\n", grown);
  std::printf("Temporary 0 0\nKept %d 100\n", 100 * 16);
}

// Storage: key destructors that allocate in each of the four rounds, and a
// thread_local object whose destructor does.
pthread_key_t g_keys[40];
std::atomic<int> g_rounds{0};

void KeyDestructor(void* value) {
  const long round = reinterpret_cast<long>(value);
  free(InKeyDestructor(static_cast<std::size_t>(round) * 24));
  (void)InKeyDestructor(40);
  g_rounds.fetch_add(1);
  // The last key goes on for as long as glibc plays along.
  pthread_setspecific(g_keys[39], reinterpret_cast<void*>(round + 1));
}

struct Storage {
  ~Storage() {
    free(InStorageDestructor(72));
    (void)InStorageDestructor(56);
  }
  int touched = 0;
};
thread_local Storage t_storage;

void* WithStorage(void*) {
  t_storage.touched = 1;
  pthread_setspecific(g_keys[39], reinterpret_cast<void*>(1));
  free(Temporary(8));
  return nullptr;
}

void RunStorage() {
  constexpr int kThreads = 300;
  for (pthread_key_t& key : g_keys) pthread_key_create(&key, KeyDestructor);
  for (int i = 0; i < kThreads; ++i) {
    pthread_t thread;
    Start(&thread, WithStorage, nullptr);
    pthread_join(thread, nullptr);
  }
  const int rounds = g_rounds.load();
  std::printf("Temporary 0 0\nInKeyDestructor %d %d\n", rounds * 40, rounds);
  std::printf("InStorageDestructor %d %d\n", kThreads * 56, kThreads);
}

// Detached: threads that still allocate when the process ends.
std::atomic<int> g_running{0};

void* Forever(void*) {
  g_running.fetch_add(1);
  for (;;) free(Endless(48));
}

void RunDetached() {
  for (int i = 0; i < 8; ++i) {
    pthread_t thread;
    Start(&thread, Forever, nullptr, true);
  }
  while (g_running.load() < 8) usleep(1000);
  (void)Kept(64);
  std::printf("Kept 64 1\n");
}

}  // namespace

int main(int argc, char** argv) {
  const char* const how = argc > 1 ? argv[1] : "";
  if (std::strcmp(how, "together") == 0) RunTogether();
  if (std::strcmp(how, "row") == 0) RunRow();
  if (std::strcmp(how, "storage") == 0) RunStorage();
  if (std::strcmp(how, "detached") == 0) RunDetached();
  std::fflush(stdout);
  return 0;
}
