// SPDX-License-Identifier: Apache-2.0
// Arguments: "all" and a directory: loads every library there and touches its
// storage from four threads. "late" and a library: loads what was meant to be
// preloaded, looks its malloc up and calls it.
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "site.h"

SITE(Held)

enum { kMost = 600 };
static int (*g_touch[kMost])(void);
static int g_count;

static void* TouchAll(void* unused) {
  for (int i = 0; i < g_count; ++i) {
    if (!g_touch[i]()) return &g_count;
  }
  return unused;
}

static int LoadAll(const char* path) {
  DIR* const directory = opendir(path);
  if (directory == NULL) return 2;
  for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
    if (strstr(entry->d_name, ".so") == NULL || g_count == kMost) continue;
    char file[4096];
    snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
    void* const library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return 3;
    g_touch[g_count] = (int (*)(void))dlsym(library, "Touch");
    if (g_touch[g_count] == NULL) return 4;
    ++g_count;
  }
  closedir(directory);
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) {
    pthread_create(&threads[i], NULL, TouchAll, NULL);
  }
  int failed = 0;
  for (int i = 0; i < 4; ++i) {
    void* result = NULL;
    pthread_join(threads[i], &result);
    failed |= result != NULL;
  }
  printf("loaded %d %s\n", g_count, failed ? "FAILED" : "fine");
  return 0;
}

static int LoadLate(const char* path) {
  void* const library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  if (library == NULL) {
    printf("refused\n");
    return 0;
  }
  void* (*const late_malloc)(size_t) =
      (void* (*)(size_t))dlsym(library, "malloc");
  void (*const late_free)(void*) = (void (*)(void*))dlsym(library, "free");
  if (late_malloc == NULL || late_free == NULL) return 5;
  for (int i = 0; i < 1000; ++i) {
    free(late_malloc(10));
    late_free(malloc(10));
  }
  dlclose(library);
  printf("loaded late\n");
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 3) return 1;
  const int result =
      strcmp(argv[1], "all") == 0 ? LoadAll(argv[2]) : LoadLate(argv[2]);
  if (result != 0) return result;
  for (int i = 0; i < 10; ++i) (void)Held(100);
  printf("Held 1000 10\n");
  fflush(stdout);
  return 0;
}
