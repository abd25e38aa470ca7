// SPDX-License-Identifier: Apache-2.0
// Leaves the allocator by a way that is no return. Argument: throw (out of
// operator new), jump (out of a new_handler, past our hook). Prints what is
// live at the end.
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>
#include <stdexcept>

#include "site.h"

SITE(Temporary)
SITE(Kept)

namespace {

volatile std::size_t g_huge = PTRDIFF_MAX;
constexpr int kRounds = 2000;

void ThrowingHandler() { throw std::runtime_error("no memory"); }

void RunThrow() {
  int bad_alloc = 0;
  int by_handler = 0;
  for (int i = 0; i < kRounds; ++i) {
    std::set_new_handler(i % 2 == 0 ? nullptr : ThrowingHandler);
    try {
      free(Temporary(50));
      (void)!::operator new(g_huge);
    } catch (const std::bad_alloc&) {
      ++bad_alloc;
    } catch (const std::runtime_error&) {
      ++by_handler;
    }
    if (i % 100 == 0) (void)Kept(30);
  }
  std::printf("caught: %d, %d\n", bad_alloc, by_handler);
  std::printf("Temporary 0 0\nKept %d %d\n", 30 * kRounds / 100, kRounds / 100);
}

std::jmp_buf g_back;
void JumpingHandler() { std::longjmp(g_back, 1); }

void RunJump() {
  std::set_new_handler(JumpingHandler);
  static volatile int jumps = 0;
  for (int i = 0; i < kRounds; ++i) {
    if (setjmp(g_back) == 0) {
      (void)!::operator new(g_huge);
    } else {
      jumps = jumps + 1;
    }
    free(Temporary(50));
    if (jumps % 100 == 0) (void)Kept(30);
  }
  std::printf("jumped: %d\n", static_cast<int>(jumps));
  std::printf("Temporary 0 0\nKept %d %d\n", 30 * kRounds / 100, kRounds / 100);
}

}  // namespace

int main(int argc, char** argv) {
  const char* const how = argc > 1 ? argv[1] : "";
  if (std::strcmp(how, "throw") == 0) RunThrow();
  if (std::strcmp(how, "jump") == 0) RunJump();
  std::fflush(stdout);
  return 0;
}
