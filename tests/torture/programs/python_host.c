// SPDX-License-Identifier: Apache-2.0
// Loads an interpreter as a library, runs a script in it and unloads it, some
// times over, while other threads allocate all the time.
//
// Usage: python_host LIBPYTHON ROUNDS SCRIPT
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_int g_done;

static void* Allocate(void* unused) {
  (void)unused;
  while (!g_done) free(malloc(100));
  return NULL;
}

static void Run(const char* library, const char* script) {
  void* const python = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (python == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    exit(2);
  }
  void (*const initialize)(void) =
      (void (*)(void))dlsym(python, "Py_Initialize");
  int (*const run)(const char*) =
      (int (*)(const char*))dlsym(python, "PyRun_SimpleString");
  int (*const finalize)(void) = (int (*)(void))dlsym(python, "Py_FinalizeEx");
  initialize();
  if (run(script) != 0) exit(3);
  finalize();
  dlclose(python);
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  pthread_t threads[3];
  for (int i = 0; i < 3; ++i) pthread_create(&threads[i], NULL, Allocate, NULL);
  for (int i = 0; i < atoi(argv[2]); ++i) Run(argv[1], argv[3]);
  g_done = 1;
  for (int i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
  puts("done");
  return 0;
}
