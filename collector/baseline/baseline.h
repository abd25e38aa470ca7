// SPDX-License-Identifier: Apache-2.0
// The normal memory of programs: sketches of each quantity, over all hours and
// for each hour of the week. A program is known by its name, so that a baseline
// outlives restarts and the processes of one name share it.
//
// Thread safety: plain values; one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "collector/baseline/quantile_sketch.h"
#include "collector/baseline/quantity.h"

namespace heapledger::collector::baseline {

inline constexpr int kSlots = 168;

// Hours since Monday 00:00 UTC.
[[nodiscard]] constexpr int SlotOf(std::uint64_t realtime_ns) {
  constexpr std::uint64_t kHourNs = 3'600'000'000'000;
  // Unix time began on a Thursday.
  return static_cast<int>((realtime_ns / kHourNs + 3 * 24) % kSlots);
}

using Sketches = std::array<QuantileSketch, kQuantities>;

// What was learned in one stretch of time.
struct Period {
  std::uint64_t begin_ns = 0;  // Unix time of the first sample; 0: none
  std::uint64_t end_ns = 0;    // and of the last
  std::uint64_t samples = 0;
  Sketches all;
  std::map<int, Sketches> slots;  // that have samples

  void Add(const Sample& sample);
  void Merge(const Period& other);
};

// Two periods: the one under way, and the one before, which is kept until the
// next one is whole. Together they are the baseline, so that it forgets what
// is two periods old.
struct ProgramBaseline {
  Period current;
  Period previous;

  [[nodiscard]] Period Both() const;
  // The current period becomes the previous one.
  void BeginPeriod();
};

using Baseline = std::map<std::string, ProgramBaseline>;  // by program

}  // namespace heapledger::collector::baseline
