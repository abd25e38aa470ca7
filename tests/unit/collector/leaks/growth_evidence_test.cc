// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/growth_evidence.h"

#include <gtest/gtest.h>

#include <cmath>

namespace heapledger::collector {
namespace {

constexpr std::uint64_t kBegin = 1'048'576 * kSecondNs;

// What tier 0 says after `seconds` samples of live blocks of 16 bytes, with
// `passing(t)` blocks that came and went by second t.
template <typename Live, typename Passing>
GrowthJudgement Judged(int seconds, Live&& live, Passing&& passing) {
  FloorHistory history;
  for (int t = 0; t <= seconds; ++t) {
    HeapCounters counters;
    const auto blocks = static_cast<std::uint64_t>(live(t));
    const auto passed = static_cast<std::uint64_t>(passing(t));
    counters.allocated_objects = blocks + passed;
    counters.freed_objects = passed;
    counters.allocated_bytes = 16 * counters.allocated_objects;
    counters.freed_bytes = 16 * counters.freed_objects;
    history.Add(kBegin + static_cast<std::uint64_t>(t) * kSecondNs, counters);
  }
  return JudgeGrowth(history, 0, {});
}

template <typename Live>
GrowthJudgement Judged(int seconds, Live&& live) {
  return Judged(seconds, std::forward<Live>(live), [](int) { return 0; });
}

TEST(GrowthEvidenceTest, NamesALeakWithItsFigures) {
  const auto judged = Judged(384, [](int t) { return 5 * t; });
  ASSERT_EQ(judged.shape, GrowthShape::kGrowing);
  const GrowthEvidence& evidence = judged.evidence;
  EXPECT_EQ(evidence.window_ns, 384 * kSecondNs);
  EXPECT_NEAR(evidence.bytes_per_second, 80, 1e-6);
  EXPECT_NEAR(evidence.objects_per_second, 5, 1e-6);
  EXPECT_EQ(evidence.rise_bytes, 11U * 32 * 80);
  EXPECT_EQ(evidence.rise_objects, 11U * 32 * 5);
  EXPECT_EQ(evidence.rounds, 11U);
  EXPECT_EQ(evidence.rounds_rose, 11U);
  EXPECT_NEAR(evidence.bytes_in_an_hour(), 288'000, 1);
}

TEST(GrowthEvidenceTest, SaysWhenALimitIsReached) {
  GrowthEvidence evidence;
  evidence.bytes_per_second = 10;
  EXPECT_EQ(evidence.SecondsTo(1000, 400), 60);
  EXPECT_EQ(evidence.SecondsTo(1000, 1000), 0);
  evidence.bytes_per_second = -1;
  EXPECT_FALSE(evidence.SecondsTo(1000, 400));
}

TEST(GrowthEvidenceTest, WaitsForThreeMinutes) {
  EXPECT_EQ(Judged(191, [](int t) { return 5 * t; }).shape,
            GrowthShape::kTooEarly);
  EXPECT_EQ(Judged(192, [](int t) { return 5 * t; }).shape,
            GrowthShape::kGrowing);
}

TEST(GrowthEvidenceTest, SeesTheFloorUnderASwingAHundredTimesAsLarge) {
  const auto judged = Judged(384, [](int t) { return t + 1600 * (t % 16); });
  ASSERT_EQ(judged.shape, GrowthShape::kGrowing);
  EXPECT_NEAR(judged.evidence.bytes_per_second, 16, 0.5);
}

TEST(GrowthEvidenceTest, TellsWhyARiseIsNoLeak) {
  EXPECT_EQ(Judged(384, [](int) { return 100; }).shape, GrowthShape::kFlat);
  EXPECT_EQ(Judged(384, [](int t) { return 100 * (t % 37); }).shape,
            GrowthShape::kFlat);
  EXPECT_EQ(
      Judged(384, [](int t) { return t < 200 ? t / 20 : 5000 + t; }).shape,
      GrowthShape::kUneven);
  EXPECT_EQ(Judged(384, [](int t) { return 9000 * (1 - std::exp(-t / 300.0)); })
                .shape,
            GrowthShape::kFlattening);
  EXPECT_EQ(Judged(384, [](int t) { return 3000 * std::log(t + 20); }).shape,
            GrowthShape::kFlattening);
}

TEST(GrowthEvidenceTest, FollowsTheLoad) {
  // Twice the load at the end: twice the blocks, each of which lives 10 s.
  const auto load = [](int t) { return 100 + t * 100 / 384; };
  const auto judged = Judged(
      384, [&](int t) { return 10 * load(t); },
      [](int t) { return 100 * t + t * t * 100 / 768; });
  EXPECT_EQ(judged.shape, GrowthShape::kWithLoad);
  // The same rise under a load that stays is a leak.
  EXPECT_EQ(Judged(
                384, [&](int t) { return 10 * load(t); },
                [](int t) { return 100 * t; })
                .shape,
            GrowthShape::kGrowing);
}

TEST(GrowthEvidenceTest, HoldsBackWhereItCameDownFromBefore) {
  // Ramps of 15 minutes: the second is no news until it passes the first.
  const auto ramps = [](int t) { return 10 * (t % 900); };
  EXPECT_EQ(Judged(800, ramps).shape, GrowthShape::kGrowing);
  EXPECT_EQ(Judged(900 + 800, ramps).shape, GrowthShape::kSeenBefore);
}

TEST(GrowthEvidenceTest, TellsARiseWithinASwingFromOneOverSeveral) {
  // Peaks of a second, which no floor shows, and a rise that begins at 800 s.
  const auto with_peaks_until = [](int end) {
    return [end](int t) {
      return t % 30 == 0 && t < end ? 10'000 : 1000 + 5 * std::max(t - 800, 0);
    };
  };
  EXPECT_EQ(Judged(1200, with_peaks_until(800)).shape,
            GrowthShape::kSeenBefore);
  EXPECT_EQ(Judged(1200, with_peaks_until(1200)).shape, GrowthShape::kGrowing);
}

}  // namespace
}  // namespace heapledger::collector
