// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/floor_history.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

HeapCounters Live(std::uint64_t bytes) {
  HeapCounters counters;
  counters.allocated_bytes = 2 * bytes;
  counters.freed_bytes = bytes;
  counters.allocated_objects = bytes / 4;
  counters.freed_objects = bytes / 8;
  return counters;
}

constexpr std::uint64_t kBegin = 1024 * 8 * kSecondNs;  // of a bucket

TEST(FloorHistoryTest, KeepsTheLowestOfEachBucketAndTheCountsAtItsEnd) {
  FloorHistory history;
  const std::uint64_t live[] = {800, 160, 640, 640, 640, 640, 640, 320};
  for (std::uint64_t t = 0; t < 8; ++t) {
    EXPECT_EQ(history.Add(kBegin + t * kSecondNs, Live(live[t])), 0U);
  }
  EXPECT_TRUE(history.Buckets(0).empty()) << "the bucket is not over";
  EXPECT_EQ(history.Add(kBegin + 8 * kSecondNs, Live(80)), 1U);
  const auto buckets = history.Buckets(0);
  ASSERT_EQ(buckets.size(), 1U);
  EXPECT_EQ(buckets[0].bytes, 160U);
  EXPECT_EQ(buckets[0].objects, 20U);
  EXPECT_EQ(buckets[0].end, Live(320));
}

TEST(FloorHistoryTest, TellsWhichTiersHaveABucketMore) {
  FloorHistory history;
  for (std::uint64_t t = 0; t < 128; ++t) {
    const std::size_t closed = history.Add(kBegin + t * kSecondNs, Live(8));
    const std::size_t expected = t == 0        ? 0
                                 : t % 32 == 0 ? 2
                                 : t % 8 == 0  ? 1
                                               : 0;
    EXPECT_EQ(closed, expected) << t;
  }
  EXPECT_EQ(history.Add(kBegin + 128 * kSecondNs, Live(8)), 3U);
}

TEST(FloorHistoryTest, HoldsADayInMemoryThatDoesNotGrow) {
  FloorHistory history;
  for (std::uint64_t t = 0; t < 110'000; t += 4) {
    history.Add(kBegin + t * kSecondNs, Live(t));
  }
  for (std::size_t tier = 0; tier < FloorHistory::kTiers; ++tier) {
    const auto buckets = history.Buckets(tier);
    EXPECT_EQ(buckets.size(), FloorHistory::kBuckets) << tier;
    EXPECT_LT(buckets.front().bytes, buckets.back().bytes);
  }
  EXPECT_GT(FloorHistory::kBuckets * history.width_ns(4),
            24 * 3600 * kSecondNs);
  EXPECT_LE(sizeof(FloorHistory), 20'000U);
}

TEST(FloorHistoryTest, KeepsPeaksAsLongAsFloors) {
  FloorHistory history;
  EXPECT_FALSE(history.PeakBefore(kBegin));
  EXPECT_EQ(history.PeakSince(0, 0), 0U);
  for (std::uint64_t t = 0; t < 3600; ++t) {
    history.Add(kBegin + t * kSecondNs, Live(t == 100    ? 900
                                             : t == 3599 ? 70
                                                         : 5));
  }
  // Long gone from the finest tier, and not from the coarse ones.
  EXPECT_EQ(history.PeakBefore(kBegin + 3500 * kSecondNs), 900U);
  EXPECT_FALSE(history.PeakBefore(kBegin + 90 * kSecondNs));
  EXPECT_EQ(history.PeakSince(2, kBegin + 3000 * kSecondNs), 70U);
  EXPECT_EQ(history.PeakSince(2, kBegin), 900U);
}

TEST(FloorHistoryTest, LeavesOutWhatLiesBeforeATimeWithoutSamples) {
  FloorHistory history;
  for (std::uint64_t t = 0; t < 40; ++t) {
    history.Add(kBegin + t * kSecondNs, Live(8));
  }
  for (std::uint64_t t = 400; t < 425; ++t) {
    history.Add(kBegin + t * kSecondNs, Live(16));
  }
  const auto buckets = history.Buckets(0);
  ASSERT_EQ(buckets.size(), 3U);
  EXPECT_EQ(buckets.front().bytes, 16U);
}

TEST(FloorHistoryTest, LeavesOutTimesThatGoBack) {
  FloorHistory history;
  history.Add(kBegin + 3 * kSecondNs, Live(80));
  EXPECT_EQ(history.Add(kBegin, Live(8)), 0U);
  history.Add(kBegin + 8 * kSecondNs, Live(80));
  EXPECT_EQ(history.Buckets(0).at(0).bytes, 80U);
}

TEST(FloorHistoryTest, FindsTheHighestFloorBeforeATime) {
  FloorHistory history;
  EXPECT_FALSE(history.HighestBefore(0, kBegin));
  for (std::uint64_t t = 0; t < 64; ++t) {
    history.Add(kBegin + t * kSecondNs, Live(t < 32 ? t : 0));
  }
  EXPECT_EQ(history.HighestBefore(0, kBegin + 8 * kSecondNs), 0U);
  EXPECT_EQ(history.HighestBefore(0, kBegin + 17 * kSecondNs), 8U);
  EXPECT_EQ(history.HighestBefore(0, kBegin + 99 * kSecondNs), 24U);
  EXPECT_EQ(history.HighestBefore(1, kBegin + 99 * kSecondNs), 0U);
}

}  // namespace
}  // namespace heapledger::collector
