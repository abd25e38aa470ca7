// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "collector/baseline/baseline.h"

namespace heapledger::collector::baseline {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

Sample At(std::uint64_t second, double rss) {
  Sample sample;
  sample.realtime_ns = second * kSecondNs;
  sample[Quantity::kRssBytes] = rss;
  return sample;
}

TEST(PeriodTest, SlotsAreHoursOfTheWeekFromMonday) {
  EXPECT_EQ(SlotOf(0), 72);  // Thursday 1970-01-01 00:00
  // Monday 2026-11-23 00:00:00 UTC, and the second before.
  EXPECT_EQ(SlotOf(1'795'392'000 * kSecondNs), 0);
  EXPECT_EQ(SlotOf(1'795'391'999 * kSecondNs), 167);
}

TEST(PeriodTest, ASampleCountsInAllAndInItsSlot) {
  Period period;
  period.Add(At(100, 10));
  period.Add(At(3700, 20));
  EXPECT_EQ(period.samples, 2U);
  EXPECT_EQ(period.begin_ns, 100 * kSecondNs);
  EXPECT_EQ(period.end_ns, 3700 * kSecondNs);
  EXPECT_EQ(period.all[0].count(), 2U);
  EXPECT_EQ(period.slots.at(72)[0].max(), 10);
  EXPECT_EQ(period.slots.at(73)[0].max(), 20);
  EXPECT_EQ(period.all[1].count(), 0U) << "what was not seen is not counted";
}

TEST(PeriodTest, ABaselineIsBothPeriods) {
  ProgramBaseline program;
  program.current.Add(At(100, 10));
  program.BeginPeriod();
  program.current.Add(At(200, 30));
  EXPECT_EQ(program.Both().all[0].mean(), 20);
  EXPECT_EQ(program.Both().begin_ns, 100 * kSecondNs);
  program.BeginPeriod();
  EXPECT_EQ(program.Both().all[0].mean(), 30)
      << "two periods back is forgotten";
}

TEST(PeriodTest, OpenFilesIsAnotherWordForDescriptors) {
  EXPECT_EQ(QuantityIndex("open_files"), QuantityIndex("open_fds"));
  EXPECT_FALSE(QuantityIndex("rss"));
}

}  // namespace
}  // namespace heapledger::collector::baseline
