// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/resident_trends.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

constexpr std::uint64_t kBegin = 1'048'576 * kSecondNs;
constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kLimit = 1024 * kMiB;

// From 200 MiB, a MiB every five seconds: an hour and ten minutes to the limit.
ResidentSample Leak(std::uint32_t pid, std::uint64_t second) {
  const std::uint64_t bytes = 200 * kMiB + second * kMiB / 5;
  return {pid, 1, "leak", bytes, kLimit - bytes};
}

ResidentSample Calm(std::uint64_t second) {
  const std::uint64_t bytes = 300 * kMiB + second % 7 * kMiB;
  return {8, 1, "calm", bytes, kLimit - bytes};
}

TEST(ResidentTrendsTest, ForecastsForTheOneThatLeaks) {
  ResidentTrends trends;
  EXPECT_TRUE(trends.view()->empty());
  for (std::uint64_t second = 0; second < 2400; ++second) {
    const ResidentSample samples[] = {Leak(7, second), Calm(second)};
    trends.Update(kBegin + second * kSecondNs, samples);
  }
  const auto view = trends.view();
  ASSERT_EQ(view->size(), 2U);
  EXPECT_EQ((*view)[0].pid, 7U);
  EXPECT_EQ((*view)[0].process, "leak");
  EXPECT_GT((*view)[0].trend.score, 0.3);
  ASSERT_TRUE((*view)[0].trend.exhaustion_seconds);
  // 344 MiB are left, at a fifth of a MiB a second.
  EXPECT_NEAR(*(*view)[0].trend.exhaustion_seconds, 1720, 200);
  EXPECT_EQ((*view)[1].trend.score, 0);
  EXPECT_FALSE((*view)[1].trend.exhaustion_seconds);
}

TEST(ResidentTrendsTest, AnotherProcessOfTheSamePidBeginsAnew) {
  ResidentTrends trends;
  for (std::uint64_t second = 0; second < 2400; ++second) {
    const ResidentSample samples[] = {Leak(7, second)};
    trends.Update(kBegin + second * kSecondNs, samples);
  }
  ASSERT_GT(trends.view()->front().trend.score, 0);
  ResidentSample next = Leak(7, 2400);
  next.start_time_ticks = 2;
  trends.Update(kBegin + 2400 * kSecondNs, std::span(&next, 1));
  EXPECT_EQ(trends.view()->front().trend.score, 0);
  trends.Update(kBegin + 2401 * kSecondNs, {});
  EXPECT_TRUE(trends.view()->empty());
}

}  // namespace
}  // namespace heapledger::collector
