// SPDX-License-Identifier: Apache-2.0
// What the programs of the leak corpus share. Each program says what it loses
// by allocating in functions of that name.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))
// Makes the compiler believe that a value is used, and keep what follows.
#define USE(value) __asm__ volatile("" : : "r"(value) : "memory")

// Takes what a call left behind out of the registers that it may leave it in.
#define SCRUB_REGISTERS()                                          \
  __asm__ volatile(                                                \
      "xor %%eax, %%eax\n xor %%ecx, %%ecx\n xor %%edx, %%edx\n"   \
      "xor %%esi, %%esi\n xor %%edi, %%edi\n xor %%r8d, %%r8d\n"   \
      "xor %%r9d, %%r9d\n xor %%r10d, %%r10d\n xor %%r11d, %%r11d" \
      :                                                            \
      :                                                            \
      : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory")

// A function that allocates, under a name of its own.
#define SITE(name)                           \
  static NOINLINE void* name(size_t bytes) { \
    void* block = malloc(bytes);             \
    memset(block, 0, bytes);                 \
    USE(block);                              \
    return block;                            \
  }

struct Node {
  struct Node* next;
  long payload[2];
};

// A thread that says when it has begun, and then waits for ever.
static volatile int g_ready;
static inline void Begun(void) { __atomic_fetch_add(&g_ready, 1, 5); }
static inline void AwaitBegun(int threads) {
  while (__atomic_load_n(&g_ready, 5) < threads) usleep(1000);
}
static inline void WaitForEver(void) {
  for (;;) pause();
}
static inline pthread_t StartThread(void* (*run)(void*), void* argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, argument) != 0) abort();
  return thread;
}
