// SPDX-License-Identifier: Apache-2.0
// Calls one entry point as the very first allocator call of the process: from
// .preinit_array, before any constructor of any library. Argument: its name.
// The block is freed at the end. Prints what is live.
#include <malloc.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>

#include "site.h"

SITE(Kept)

extern "C" void cfree(void*) __attribute__((weak));

namespace {

enum class Release { kFree, kDelete };
void* g_block = nullptr;
std::size_t g_alignment = 16;
bool g_zeroed = false;
Release g_release = Release::kFree;
bool g_known = true;

void First(int argc, char** argv, char**) {
  const char* const name = argc > 1 ? argv[1] : "";
  const auto is = [name](const char* other) {
    return std::strcmp(name, other) == 0;
  };
  if (is("malloc")) {
    g_block = malloc(100);
  } else if (is("calloc")) {
    g_block = calloc(10, 10);
    g_zeroed = true;
  } else if (is("realloc")) {
    g_block = realloc(nullptr, 100);
  } else if (is("reallocarray")) {
    g_block = reallocarray(nullptr, 10, 10);
  } else if (is("posix_memalign")) {
    g_alignment = 256;
    if (posix_memalign(&g_block, g_alignment, 100) != 0) g_block = nullptr;
  } else if (is("aligned_alloc")) {
    g_alignment = 128;
    g_block = aligned_alloc(g_alignment, 128);
  } else if (is("memalign")) {
    g_alignment = 64;
    g_block = memalign(g_alignment, 100);
  } else if (is("valloc")) {
    g_alignment = 4096;
    g_block = valloc(100);
  } else if (is("pvalloc")) {
    g_alignment = 4096;
    g_block = pvalloc(100);
  } else if (is("free")) {
    free(nullptr);
    g_block = malloc(100);
  } else if (is("usable")) {
    if (malloc_usable_size(nullptr) != 0) g_known = false;
    g_block = malloc(100);
  } else if (is("strdup")) {
    g_alignment = 1;
    g_block = strdup(
        "0123456789012345678901234567890123456789012345678901234567890123456789"
        "01234567890123456789012345678");
  } else if (is("new")) {
    g_block = ::operator new(100);
    g_release = Release::kDelete;
  } else if (is("new_nothrow")) {
    g_block = ::operator new(100, std::nothrow);
    g_release = Release::kDelete;
  } else if (is("new_aligned")) {
    g_alignment = 512;
    g_block = ::operator new (100, std::align_val_t{g_alignment});
    free(std::malloc(1));
  } else if (is("new_aligned_nothrow")) {
    g_alignment = 512;
    g_block = ::operator new[](100, std::align_val_t{512}, std::nothrow);
  } else {
    g_known = false;
  }
}

__attribute__((section(".preinit_array"),
               used)) void (*const g_first)(int, char**, char**) = First;

}  // namespace

int main() {
  if (!g_known || g_block == nullptr) return 2;
  if (reinterpret_cast<std::uintptr_t>(g_block) % g_alignment != 0) return 3;
  if (malloc_usable_size(g_block) < 100) return 4;
  for (int i = 0; g_zeroed && i < 100; ++i) {
    if (static_cast<char*>(g_block)[i] != 0) return 5;
  }
  std::memset(g_block, 0x5a, 100);
  if (g_release == Release::kDelete) {
    ::operator delete(g_block);
  } else {
    g_block = realloc(g_block, 300);
    for (int i = 0; i < 100; ++i) {
      if (static_cast<char*>(g_block)[i] != 0x5a) return 6;
    }
    free(g_block);
  }
  for (int i = 0; i < 3; ++i) (void)Kept(70);
  std::printf("First 0 0\nKept 210 3\n");
  std::fflush(stdout);
  return 0;
}
