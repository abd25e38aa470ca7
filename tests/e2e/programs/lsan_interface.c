// SPDX-License-Identifier: Apache-2.0
// Loses blocks, and says of some by LeakSanitizer's interface that they are no
// leaks. Weak, as in programs that are built with and without a sanitizer.
//
//   lsan_interface [disabled|object|nested|thread|all|off]
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((weak)) void __lsan_disable(void);
__attribute__((weak)) void __lsan_enable(void);
__attribute__((weak)) void __lsan_ignore_object(const void* object);

__attribute__((noinline)) static void* Lost(size_t bytes) {
  void* const block = malloc(bytes);
  memset(block, 0, bytes);
  return block;
}
__attribute__((noinline)) static void* Excused(size_t bytes) {
  void* const block = malloc(bytes);
  // Unlike the other, so that the compiler keeps both.
  memset(block, 0, bytes - 8);
  memset((char*)block + bytes - 8, 0, 8);
  return block;
}

// Returns what it allocates by nobody's pointer.
__attribute__((noinline)) static void LoseExcused(const char* how) {
  if (strcmp(how, "object") == 0) {
    void** const block = Excused(40);
    block[1] = Excused(50);
    __lsan_ignore_object(block);
    __lsan_ignore_object(NULL);
    return;
  }
  if (strcmp(how, "off") == 0) return;
  __lsan_disable();
  if (strcmp(how, "nested") == 0) {
    __lsan_disable();
    __lsan_enable();
  }
  for (int i = 0; i < 5; ++i) {
    void** const block = Excused(40);
    block[1] = Excused(50);
  }
  __lsan_enable();
}

__attribute__((noinline)) static void Lose(int count) {
  for (int i = 0; i < count; ++i) {
    void* volatile block = Lost(11);
    block = NULL;
    (void)block;
  }
}

static void* Other(void* unused) {
  // Off for its maker alone.
  Lose(1);
  return unused;
}

int main(int argc, char** argv) {
  const char* const how = argc > 1 ? argv[1] : "disabled";
  if (__lsan_disable == NULL || __lsan_ignore_object == NULL) {
    puts("no interface");
    return 0;
  }
  Lose(2);
  LoseExcused(how);
  if (strcmp(how, "thread") == 0) {
    pthread_t thread;
    __lsan_disable();
    pthread_create(&thread, NULL, Other, NULL);
    pthread_join(thread, NULL);
    __lsan_enable();
  }
  Lose(3);
  return 0;
}
