// SPDX-License-Identifier: Apache-2.0
// When to sample: once in every interval, at a moment of it that is left to
// chance. Samples at even distances beat against swings whose period is nearly
// a multiple of the interval: they meet each swing a little higher than the one
// before, and a floor that stands still seems to rise for many minutes.
//
// Thread safety: one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace heapledger::collector {

class SampleSchedule {
 public:
  using Clock = std::chrono::steady_clock;

  SampleSchedule(Clock::time_point begin, std::chrono::nanoseconds interval,
                 std::uint64_t seed)
      : interval_(interval), slot_(begin), random_(seed) {}

  // The next moment after `now`; intervals that `now` has passed are left out.
  [[nodiscard]] Clock::time_point Next(Clock::time_point now);

 private:
  std::chrono::nanoseconds interval_;
  Clock::time_point slot_;  // begin of the interval of the last moment
  std::minstd_rand random_;
};

}  // namespace heapledger::collector
