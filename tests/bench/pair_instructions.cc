// SPDX-License-Identifier: Apache-2.0
// Does as many pairs of malloc and free as its argument says, at depth 15 on a
// repeating stack, over 1024 live blocks. Run under callgrind with two numbers,
// the difference is instructions per pair.
#include <cstdio>
#include <cstdlib>

#include "tests/bench/deep_stack.h"
#include "tests/bench/live_set.h"

namespace bench = heapledger::bench;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: pair_instructions PAIRS\n", stderr);
    return 2;
  }
  bench::LiveSet set(1024);
  set.pairs = std::strtoull(argv[1], nullptr, 10);
  bench::RunAtDepth(15, &bench::RepeatingPairs, set);
  return 0;
}
