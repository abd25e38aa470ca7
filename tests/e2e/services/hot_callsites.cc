// SPDX-License-Identifier: Apache-2.0
// Fifty callsites that are all busy: each holds a few hundred blocks, which
// come and go, and every tenth leaks. What a collector costs is measured on
// many of these.
#include <array>
#include <deque>
#include <utility>

#include "service.h"

namespace {

constexpr std::size_t kCallsites = 50;
constexpr std::size_t kHeld = 200;

template <std::size_t kIndex>
NOINLINE void* Allocate() {
  void* const block = std::malloc(64 + kIndex);
  service::Escape(block);
  return block;
}

using Function = void* (*)();

template <std::size_t... kIndexes>
constexpr auto TableOf(std::index_sequence<kIndexes...>) {
  return std::array<Function, sizeof...(kIndexes)>{&Allocate<kIndexes>...};
}

constexpr auto kTable = TableOf(std::make_index_sequence<kCallsites>());

}  // namespace

int main(int argc, char** argv) {
  std::array<std::deque<void*>, kCallsites> held;
  service::Rate rounds(10);
  std::uint64_t round = 0;
  return service::Serve(argc, argv, [&](double now) {
    for (std::size_t n = rounds.Due(now); n > 0; --n, ++round) {
      for (std::size_t i = 0; i < kCallsites; ++i) {
        held[i].push_back(kTable[i]());
        const std::size_t most = i % 10 == 0 ? kHeld + round : kHeld;
        const bool release = service::Random()() % 8 == 0;
        while (held[i].size() > (release ? most / 2 : most)) {
          std::free(held[i].front());
          held[i].pop_front();
        }
      }
    }
  });
}
