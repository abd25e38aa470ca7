// SPDX-License-Identifier: Apache-2.0
// C++ allocations with known answers: templates, inlining, exceptions, every
// operator new. Prints what is live: "function bytes objects", the function
// without template arguments' spelling.
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#define NOINLINE __attribute__((noinline, noclone, used))

namespace known {

struct alignas(128) Wide {
  char bytes[256];
};

template <typename T, int kCount>
NOINLINE void Fill(std::vector<std::unique_ptr<T>>& into) {
  for (int i = 0; i < kCount; ++i) into.push_back(std::make_unique<T>());
}

// Inlined into its caller: counts as the caller's.
__attribute__((always_inline)) inline char* Inlined(std::size_t bytes) {
  return new char[bytes];
}

char* g_blocks[100];

NOINLINE void ThroughInlined() {
  g_blocks[0] = Inlined(1234);
  delete[] Inlined(99);
}

NOINLINE void EveryNew() {
  g_blocks[1] = static_cast<char*>(operator new(10));
  g_blocks[2] = static_cast<char*>(operator new[](20));
  g_blocks[3] = static_cast<char*>(operator new(30, std::nothrow));
  g_blocks[4] = static_cast<char*>(operator new[](40, std::nothrow));
  g_blocks[5] = static_cast<char*>(operator new (256, std::align_val_t{64}));
  g_blocks[6] = static_cast<char*>(operator new[](512, std::align_val_t{64}));
  g_blocks[7] = static_cast<char*>(operator new (128, std::align_val_t{64},
                                                 std::nothrow));
  operator delete(operator new(11));
  operator delete(operator new(12), 12);
  operator delete[](operator new[](13), 13);
  operator delete (operator new (14, std::align_val_t{32}),
                   std::align_val_t{32});
}

NOINLINE void Throwing(int depth) {
  std::string text(500, 'x');
  if (depth == 0) throw std::runtime_error(text);
  Throwing(depth - 1);
  std::printf("%s", "");
}

NOINLINE void OutOfMemory() {
  volatile std::size_t huge = static_cast<std::size_t>(-1) / 2 - 64;
  for (int i = 0; i < 3; ++i) {
    try {
      g_blocks[8] = new char[huge];
    } catch (const std::bad_alloc&) {
    }
    if (new (std::nothrow) char[huge] != nullptr) std::abort();
  }
}

NOINLINE void Nodes(std::list<int>& list, std::map<int, int>& map) {
  for (int i = 0; i < 100; ++i) list.push_back(i);
  for (int i = 0; i < 50; ++i) map[i] = i;
  for (int i = 0; i < 25; ++i) map.erase(i);
}

}  // namespace known

int main() {
  static std::vector<std::unique_ptr<int[4]>> unused;
  static std::vector<std::unique_ptr<long>> longs;
  static std::vector<std::unique_ptr<known::Wide>> wides;
  longs.reserve(100);
  wides.reserve(100);
  known::Fill<long, 10>(longs);
  known::Fill<known::Wide, 3>(wides);
  known::ThroughInlined();
  known::EveryNew();
  for (int i = 0; i < 5; ++i) {
    try {
      known::Throwing(6);
    } catch (const std::runtime_error&) {
    }
  }
  known::OutOfMemory();
  static std::list<int> list;
  static std::map<int, int> map;
  known::Nodes(list, map);
  std::printf("known::Fill %zu 13\n",
              10 * sizeof(long) + 3 * sizeof(known::Wide));
  std::printf("known::ThroughInlined 1234 1\n");
  std::printf("known::EveryNew %d 7\n", 10 + 20 + 30 + 40 + 256 + 512 + 128);
  std::printf("known::Throwing 0 0\n");
  std::printf("known::OutOfMemory 0 0\n");
  // A list node is two pointers and an int, a map node four words and two ints.
  std::printf("known::Nodes %d 125\n", 100 * 24 + 25 * 40);
  std::fflush(stdout);
  std::_Exit(7);
}
