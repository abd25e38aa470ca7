// SPDX-License-Identifier: Apache-2.0
// Loads a libpython for itself alone, long after its start, and runs an
// interpreter in it as often as it is told; each counts what is in
// gc.callbacks once it has had some time.
// Usage: python_embedded LIBRARY TIMES
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  for (int i = 0; i < 100; ++i) free(malloc(100));
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  void (*initialize)(int) = (void (*)(int))dlsym(library, "Py_InitializeEx");
  int (*run)(const char*) =
      (int (*)(const char*))dlsym(library, "PyRun_SimpleString");
  int (*finalize)(void) = (int (*)(void))dlsym(library, "Py_FinalizeEx");
  for (int i = 0; i < atoi(argv[2]); ++i) {
    initialize(0);
    if (run("import gc, time\n"
            "for _ in range(300):\n"
            "    if gc.callbacks: break\n"
            "    junk = [[i] for i in range(100)]\n"
            "    time.sleep(0.01)\n"
            "time.sleep(0.05)\n"
            "print(len(gc.callbacks), flush=True)\n") != 0 ||
        finalize() != 0) {
      return 1;
    }
  }
  return 0;
}
