// SPDX-License-Identifier: Apache-2.0
// Repeats a case until its figures are stable, and prints them.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

namespace heapledger::bench {

// CPU time of the calling thread: what other processes take does not count.
double ThreadCpuNanoseconds();

// The compiler must believe that the block is used.
[[gnu::always_inline]] inline void KeepBlock(void* block) {
  __asm__ volatile("" : : "r"(block) : "memory");
}

class Measurements {
 public:
  // Does that many pairs and returns the nanoseconds they took.
  using Run = std::function<double(std::uint64_t pairs)>;

  // Only cases whose name starts with one of these, separated by commas.
  void Only(const std::string& prefixes);
  void ListOnly() { list_only_ = true; }
  bool lists_only() const { return list_only_; }
  void SetMinimumMilliseconds(int milliseconds);
  void SetRepetitions(int repetitions);

  // Whether a case is to be set up at all.
  bool WantsAny(std::initializer_list<const char*> names) const;
  void Measure(const std::string& name, const Run& run);
  // One JSON object: "cases", each with name, min_ns, median_ns and pairs.
  void Print() const;

 private:
  struct Result {
    std::string name;
    double min_ns;
    double median_ns;
    std::uint64_t pairs;
  };

  bool Wants(const std::string& name) const;

  std::vector<std::string> prefixes_;
  std::vector<Result> results_;
  double minimum_ns_ = 50e6;
  int repetitions_ = 5;
  bool list_only_ = false;
};

}  // namespace heapledger::bench
