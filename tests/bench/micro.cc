// SPDX-License-Identifier: Apache-2.0
// What one pair of malloc and free costs, case by case, in nanoseconds of CPU
// time: minimum and median of several repetitions, as JSON on stdout.
//
// Run bare and under each tool; the difference is the tool's. The cases differ
// in what a tool that takes full stacks is sensitive to: how deep the stack is,
// how much of it changes from call to call, and whether memory is cached.
//
// Usage: micro [--cases PREFIX,…] [--min-ms N] [--repetitions N] [--list]
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "tests/bench/deep_stack.h"
#include "tests/bench/live_set.h"
#include "tests/bench/measure.h"
#include "tests/bench/thread_cases.h"

namespace heapledger::bench {
namespace {

constexpr std::size_t kFewBlocks = 1 << 10;
constexpr std::size_t kManyBlocks = 1 << 20;
constexpr int kDepths[] = {5, 15, 40};
constexpr int kUsualDepth = 15;

// tree: the four innermost frames are random ones of four functions each.
constexpr int kTreeFrames = 4;

template <int kKind>
HEAPLEDGER_FRAME void Branch(int frames, LiveSet& set);

using BranchFunction = void (*)(int, LiveSet&);
constexpr BranchFunction kBranches[] = {&Branch<0>, &Branch<1>, &Branch<2>,
                                        &Branch<3>};

[[gnu::always_inline]] inline void TakeBranch(int frames, LiveSet& set) {
  kBranches[set.Random() >> 20 & 3](frames, set);
}

template <int kKind>
HEAPLEDGER_FRAME void Branch(int frames, LiveSet& set) {
  ShapeFrame<kKind>();
  if (frames <= 1) {
    set.Replace();
  } else {
    TakeBranch(frames - 1, set);
  }
  EndFrame();
}

HEAPLEDGER_FRAME void TreePairs(LiveSet& set) {
  for (std::uint64_t i = 0; i < set.pairs; ++i) TakeBranch(kTreeFrames, set);
}

HEAPLEDGER_FRAME void OnePair(LiveSet& set) { set.Replace(); }

HEAPLEDGER_FRAME void DependentPairs(LiveSet& set) {
  for (std::uint64_t i = 0; i < set.pairs; i += kSites) {
    set.ReplaceDependent();
    set.ReplaceDependent();
    set.ReplaceDependent();
    set.ReplaceDependent();
  }
}

HEAPLEDGER_FRAME void CallocPairs(LiveSet& set) {
  for (std::uint64_t i = 0; i < set.pairs; ++i) {
    void* const block = std::calloc(1, LiveSet::Size(set.Random()));
    KeepBlock(block);
    std::free(block);
  }
}

HEAPLEDGER_FRAME void NewPairs(LiveSet& set) {
  for (std::uint64_t i = 0; i < set.pairs; ++i) {
    void* const block = ::operator new(LiveSet::Size(set.Random()));
    KeepBlock(block);
    ::operator delete(block);
  }
}

// A buffer that grows by half, as strings and vectors do: 24 bytes to 10 KiB in
// 15 calls of realloc, then freed. A pair is one call.
HEAPLEDGER_FRAME void GrowthChains(LiveSet& set) {
  constexpr std::size_t kFirst = 24;
  constexpr std::size_t kLast = 10000;
  for (std::uint64_t i = 0; i < set.pairs;) {
    void* block = std::malloc(kFirst);
    for (std::size_t bytes = kFirst; bytes < kLast; bytes += bytes / 2) {
      block = std::realloc(block, bytes + bytes / 2);
      KeepBlock(block);
      ++i;
    }
    std::free(block);
  }
}

double RunBody(LiveSet& set, Body<LiveSet> body, int depth,
               std::uint64_t pairs) {
  set.pairs = pairs;
  const double start = ThreadCpuNanoseconds();
  RunAtDepth(depth, body, set);
  return ThreadCpuNanoseconds() - start;
}

double RunFresh(LiveSet& set, int depth, std::uint64_t pairs) {
  const double start = ThreadCpuNanoseconds();
  for (std::uint64_t i = 0; i < pairs; ++i) {
    RunAtDepth(depth, &OnePair, set);
  }
  return ThreadCpuNanoseconds() - start;
}

void StackCases(Measurements& results) {
  LiveSet set(kFewBlocks);
  for (const int depth : kDepths) {
    const std::string suffix = std::to_string(depth);
    results.Measure("repeating_" + suffix, [&](std::uint64_t pairs) {
      return RunBody(set, &RepeatingPairs, depth, pairs);
    });
    // The branches are frames too.
    results.Measure("tree_" + suffix, [&](std::uint64_t pairs) {
      return RunBody(set, &TreePairs, depth - kTreeFrames, pairs);
    });
    results.Measure("fresh_" + suffix, [&](std::uint64_t pairs) {
      return RunFresh(set, depth, pairs);
    });
  }
}

void ManyLiveCases(Measurements& results) {
  if (!results.WantsAny({"million_independent", "million_dependent"})) return;
  LiveSet set(kManyBlocks);
  // Until random blocks are where random ones were, not in the order of the
  // first filling, which the prefetcher likes.
  if (!results.lists_only()) {
    RunBody(set, &RepeatingPairs, kUsualDepth, 2 * kManyBlocks);
  }
  results.Measure("million_independent", [&](std::uint64_t pairs) {
    return RunBody(set, &RepeatingPairs, kUsualDepth, pairs);
  });
  results.Measure("million_dependent", [&](std::uint64_t pairs) {
    return RunBody(set, &DependentPairs, kUsualDepth, pairs);
  });
}

void OtherCallCases(Measurements& results) {
  LiveSet set(kFewBlocks);
  const struct {
    const char* name;
    Body<LiveSet> body;
  } cases[] = {{"calloc", &CallocPairs},
               {"new_delete", &NewPairs},
               {"realloc_growth", &GrowthChains}};
  for (const auto& one : cases) {
    results.Measure(one.name, [&](std::uint64_t pairs) {
      return RunBody(set, one.body, kUsualDepth, pairs);
    });
  }
}

int Main(int argc, char** argv) {
  Measurements results;
  for (int i = 1; i < argc; ++i) {
    const bool has_value = i + 1 < argc;
    if (std::strcmp(argv[i], "--list") == 0) {
      results.ListOnly();
    } else if (std::strcmp(argv[i], "--cases") == 0 && has_value) {
      results.Only(argv[++i]);
    } else if (std::strcmp(argv[i], "--min-ms") == 0 && has_value) {
      results.SetMinimumMilliseconds(std::atoi(argv[++i]));
    } else if (std::strcmp(argv[i], "--repetitions") == 0 && has_value) {
      results.SetRepetitions(std::atoi(argv[++i]));
    } else {
      std::fputs(
          "usage: micro [--cases PREFIX,...] [--min-ms N] [--repetitions N] "
          "[--list]\n",
          stderr);
      return 2;
    }
  }
  StackCases(results);
  ManyLiveCases(results);
  OtherCallCases(results);
  ThreadCases(results);
  results.Print();
  return 0;
}

}  // namespace
}  // namespace heapledger::bench

int main(int argc, char** argv) { return heapledger::bench::Main(argc, argv); }
