// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/sample_schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "collector/leaks/callsite_watch.h"

namespace heapledger::collector {
namespace {

using Clock = SampleSchedule::Clock;
using std::chrono::seconds;

TEST(SampleScheduleTest, HasOneMomentInEveryInterval) {
  const Clock::time_point begin{seconds(1000)};
  SampleSchedule schedule(begin, seconds(1), 1);
  Clock::time_point now = begin;
  for (int i = 1; i < 1000; ++i) {
    now = schedule.Next(now);
    EXPECT_GE(now, begin + seconds(i));
    EXPECT_LE(now, begin + seconds(i + 1));
  }
}

TEST(SampleScheduleTest, LeavesOutWhatHasPassed) {
  const Clock::time_point begin{seconds(1000)};
  SampleSchedule schedule(begin, seconds(1), 1);
  const Clock::time_point late = begin + std::chrono::milliseconds(60'500);
  const Clock::time_point next = schedule.Next(late);
  EXPECT_GE(next, late);
  EXPECT_LT(next, begin + seconds(61));
  EXPECT_GE(schedule.Next(next), begin + seconds(61));
}

// Seconds of an hour in which a sawtooth that leaks nothing is named. It is a
// hundredth of a second short of six.
template <typename NextTime>
int SecondsNamed(NextTime&& next_time) {
  CallsiteWatch watch(FloorHistory::kBaseWidthNs, {});
  int named = 0;
  for (int i = 0; i < 3600; ++i) {
    const double time = next_time();
    HeapCounters counters;
    counters.allocated_bytes =
        static_cast<std::uint64_t>(1e6 * std::fmod(time, 5.99));
    watch.Add(static_cast<std::uint64_t>((1'000'000 + time) * 1e9), counters);
    named += watch.growth() != nullptr;
  }
  return named;
}

TEST(SampleScheduleTest, DoesNotBeatAgainstASwing) {
  double even = 0;
  EXPECT_GT(SecondsNamed([&even] { return even += 1; }), 100)
      << "even samples are fooled: this is what the schedule is for";
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SampleSchedule schedule(Clock::time_point(), seconds(1), seed);
    Clock::time_point now;
    EXPECT_EQ(
        SecondsNamed([&] {
          now = schedule.Next(now);
          return std::chrono::duration<double>(now.time_since_epoch()).count();
        }),
        0)
        << seed;
  }
}

}  // namespace
}  // namespace heapledger::collector
