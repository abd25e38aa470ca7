// SPDX-License-Identifier: Apache-2.0
// A service with two callsites that grow at every step (PlantedCache,
// PlantedLog) among 500 that are stable and 50 that rise and fall. Each line of
// input is a step, answered by a line.
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t kStable = 500;
constexpr std::size_t kSawtooth = 50;

template <std::size_t kIndex>
[[gnu::noinline]] void* Stable() {
  void* const block = std::malloc(64 + kIndex);
  asm volatile("" ::"r"(block) : "memory");
  return block;
}

template <std::size_t kIndex>
[[gnu::noinline]] void* Sawtooth() {
  void* const block = std::malloc(128 + kIndex);
  asm volatile("" ::"r"(block) : "memory");
  return block;
}

[[gnu::noinline]] void* PlantedCache() {
  void* const block = std::malloc(48);
  asm volatile("" ::"r"(block) : "memory");
  return block;
}

[[gnu::noinline]] void* PlantedLog() {
  void* const block = std::malloc(16);
  asm volatile("" ::"r"(block) : "memory");
  return block;
}

using Function = void* (*)();

template <std::size_t... kIndexes>
constexpr auto StableTable(std::index_sequence<kIndexes...>) {
  return std::array<Function, sizeof...(kIndexes)>{&Stable<kIndexes>...};
}

template <std::size_t... kIndexes>
constexpr auto SawtoothTable(std::index_sequence<kIndexes...>) {
  return std::array<Function, sizeof...(kIndexes)>{&Sawtooth<kIndexes>...};
}

constexpr auto kStableTable = StableTable(std::make_index_sequence<kStable>());
constexpr auto kSawtoothTable =
    SawtoothTable(std::make_index_sequence<kSawtooth>());

// Blocks of one sawtooth callsite; grown and emptied in turn.
std::array<std::array<void*, 64>, kSawtooth> g_teeth;
std::array<std::size_t, kSawtooth> g_used;

void Step(std::size_t step) {
  // Replaced one by one: busy, and the same at the end.
  for (const Function stable : kStableTable) std::free(stable());
  for (std::size_t i = 0; i < kSawtooth; ++i) {
    // Half of the teeth are up when the other half is down.
    const bool rise = (step + i) % 2 == 0;
    while (g_used[i] > 0) std::free(g_teeth[i][--g_used[i]]);
    const std::size_t wanted = rise ? 40 + i % 20 : 3;
    while (g_used[i] < wanted) {
      g_teeth[i][g_used[i]++] = kSawtoothTable[i]();
    }
  }
  for (int i = 0; i < 10; ++i) (void)PlantedCache();
  (void)PlantedLog();
}

}  // namespace

int main() {
  for (const Function stable : kStableTable) (void)stable();
  char line[64];
  for (std::size_t step = 0; std::fgets(line, sizeof line, stdin); ++step) {
    Step(step);
    std::puts("done");
    std::fflush(stdout);
  }
  return 0;
}
