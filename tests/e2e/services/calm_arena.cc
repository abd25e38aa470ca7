// SPDX-License-Identifier: Apache-2.0
// An arena that is freed late: chunks are added for 50 seconds, then all go at
// once.
#include <vector>

#include "service.h"

namespace {

NOINLINE char* AddChunk() {
  auto* const chunk = new char[16'384];
  service::Escape(chunk);
  return chunk;
}

}  // namespace

int main(int argc, char** argv) {
  service::Rate chunks(20);
  std::vector<char*> arena;
  arena.reserve(1 << 16);
  double reset = 0;
  return service::Serve(argc, argv, [&](double now) {
    for (std::size_t n = chunks.Due(now); n > 0; --n) {
      arena.push_back(AddChunk());
    }
    if (now - reset < 50) return;
    for (char* const chunk : arena) delete[] chunk;
    arena.clear();
    reset = now;
  });
}
