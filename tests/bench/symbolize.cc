// SPDX-License-Identifier: Apache-2.0
// Names addresses of one module, for symbolizer.py to compare and to time.
//
// Usage: bench_symbolize MODULE CACHE_DIRECTORY < ADDRESSES (hex, one a line)
//
// Prints for each address its frames, "FUNCTION\tFILE\tLINE", innermost first,
// and an empty line; to stderr the seconds that the lookups took.
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <vector>

#include "symbolizer/symbolizer.h"

int main(int argc, char** argv) {
  using namespace heapledger::symbolizer;  // NOLINT
  if (argc != 3) return 2;
  ModuleRef module;
  module.path = argv[1];
  std::vector<Pc> pcs;
  std::uint64_t address = 0;
  while (std::scanf("%" SCNx64, &address) == 1) {
    pcs.push_back({address, PcKind::kExact});
  }
  Options options;
  options.cache_directory = argv[2];
  const auto start = std::chrono::steady_clock::now();
  Symbolizer symbolizer(options);
  const auto all = symbolizer.ResolveAll(module, pcs);
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - start;
  for (const auto& frames : all) {
    for (const Frame& frame : frames) {
      std::printf("%s\t%s\t%" PRIu32 "\n", frame.function.c_str(),
                  frame.file.c_str(), frame.line);
    }
    std::puts("");
  }
  std::fprintf(stderr, "%.3f\n", took.count());
  return 0;
}
