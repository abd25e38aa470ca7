// SPDX-License-Identifier: Apache-2.0
// Keeps memory in functions whose names and lines a test knows, in itself and
// in plugins that it loads and unloads one after the other. Then it says so and
// waits for its stdin to end.
//
// Usage: named [PLUGIN…]
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace named {

void* volatile g_kept;

[[gnu::always_inline]] inline void* Inner(std::size_t size) {
  return std::malloc(size);  // at: inner
}

template <typename T>
[[gnu::noinline]] void Keep(T count) {
  g_kept = Inner(static_cast<std::size_t>(count) * 1000);  // at: keep
}

[[gnu::noinline]] static void KeepStatic() {
  g_kept = std::malloc(777);  // at: static
}

}  // namespace named

int main(int argc, char** argv) {
  named::Keep<long>(3);
  named::KeepStatic();
  for (int i = 1; i < argc; ++i) {
    void* const plugin = dlopen(argv[i], RTLD_NOW);
    if (plugin == nullptr) return 1;
    reinterpret_cast<void (*)()>(dlsym(plugin, "PluginEntry"))();
    dlclose(plugin);
  }
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}
