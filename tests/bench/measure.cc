// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/measure.h"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace heapledger::bench {
namespace {

// A multiple of the call sites of one loop.
constexpr std::uint64_t kFirstPairs = 1 << 14;

}  // namespace

double ThreadCpuNanoseconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 +
         static_cast<double>(time.tv_nsec);
}

void Measurements::Only(const std::string& prefixes) {
  std::istringstream words(prefixes);
  for (std::string word; std::getline(words, word, ',');) {
    prefixes_.push_back(word);
  }
}

void Measurements::SetMinimumMilliseconds(int milliseconds) {
  minimum_ns_ = std::max(milliseconds, 1) * 1e6;
}

void Measurements::SetRepetitions(int repetitions) {
  repetitions_ = std::max(repetitions, 1);
}

bool Measurements::Wants(const std::string& name) const {
  return prefixes_.empty() || std::any_of(prefixes_.begin(), prefixes_.end(),
                                          [&](const std::string& prefix) {
                                            return name.rfind(prefix, 0) == 0;
                                          });
}

bool Measurements::WantsAny(std::initializer_list<const char*> names) const {
  return list_only_ ||
         std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return Wants(name); });
}

void Measurements::Measure(const std::string& name, const Run& run) {
  if (!Wants(name)) return;
  if (list_only_) {
    std::puts(name.c_str());
    return;
  }
  // Finding out how many pairs are long enough warms everything up as well.
  std::uint64_t pairs = kFirstPairs;
  while (run(pairs) < minimum_ns_) pairs *= 2;
  std::vector<double> each;
  for (int i = 0; i < repetitions_; ++i) {
    each.push_back(run(pairs) / static_cast<double>(pairs));
  }
  std::sort(each.begin(), each.end());
  results_.push_back({name, each.front(), each[each.size() / 2], pairs});
}

void Measurements::Print() const {
  if (list_only_) return;
  std::printf("{\"cases\": [");
  const char* separator = "\n";
  for (const Result& result : results_) {
    std::printf(
        "%s{\"name\": \"%s\", \"min_ns\": %.2f, \"median_ns\": %.2f, "
        "\"pairs\": %llu}",
        separator, result.name.c_str(), result.min_ns, result.median_ns,
        static_cast<unsigned long long>(result.pairs));
    separator = ",\n";
  }
  std::printf("\n]}\n");
}

}  // namespace heapledger::bench
