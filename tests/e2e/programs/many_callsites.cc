// SPDX-License-Identifier: Apache-2.0
// many_callsites CALLSITES OBJECTS_EACH: allocates OBJECTS_EACH blocks of 24
// bytes at each of about CALLSITES distinct stacks, says "ready" and waits for
// its input to end. The stacks are the paths of a binary tree of calls.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace {

int g_objects = 1;

void* volatile g_last = nullptr;

[[gnu::noinline]] void Allocate() {
  for (int i = 0; i < g_objects; ++i) g_last = std::malloc(24);
}

void Walk(unsigned path, int depth);

[[gnu::noinline]] void Left(unsigned path, int depth) {
  Walk(path >> 1, depth - 1);
  // No tail call: the frame is part of the stack. A text of its own keeps the
  // compiler from folding both functions into one.
  asm volatile("# left");
}

[[gnu::noinline]] void Right(unsigned path, int depth) {
  Walk(path >> 1, depth - 1);
  asm volatile("# right");
}

[[gnu::noinline]] void Walk(unsigned path, int depth) {
  if (depth == 0) {
    Allocate();
  } else if ((path & 1) == 0) {
    Left(path, depth);
  } else {
    Right(path, depth);
  }
  asm volatile("");
}

}  // namespace

int main(int argc, char** argv) {
  const int callsites = argc > 1 ? std::atoi(argv[1]) : 1000;
  g_objects = argc > 2 ? std::atoi(argv[2]) : 1;
  int depth = 0;
  while ((1 << depth) < callsites) ++depth;
  for (int path = 0; path < callsites; ++path) {
    Walk(static_cast<unsigned>(path), depth);
  }
  std::puts("ready");
  std::fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}
