// SPDX-License-Identifier: Apache-2.0
// Recall and false alarms, family by family, on seeds that no threshold was
// tuned on (those were 1 to 200).
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "collector/leaks/callsite_watch.h"
#include "tests/unit/collector/leaks/traces.h"

namespace heapledger::collector::testing {

// For the names of the cases.
void PrintTo(const Family& family, std::ostream* out) { *out << family.name; }

namespace {

constexpr std::uint64_t kFirstSeed = 1001;
constexpr int kSeeds = 100;

// The second at which the trace was first named, or -1.
int FirstNamed(const Trace& trace) {
  CallsiteWatch watch(FloorHistory::kBaseWidthNs, {});
  for (std::size_t t = 0; t < trace.size(); ++t) {
    watch.Add((t + 1'000'000) * kSecondNs, trace[t]);
    if (watch.growth() != nullptr) return static_cast<int>(t);
  }
  return -1;
}

std::vector<int> TimesNamed(const Family& family) {
  std::vector<int> times;
  for (std::uint64_t seed = kFirstSeed; seed < kFirstSeed + kSeeds; ++seed) {
    const Trace trace = family.make(seed);
    EXPECT_EQ(trace.size(), static_cast<std::size_t>(family.seconds));
    const int time = FirstNamed(trace);
    if (time >= 0) times.push_back(time);
  }
  std::ranges::sort(times);
  return times;
}

class LeakFamilyTest : public ::testing::TestWithParam<Family> {};

TEST_P(LeakFamilyTest, IsNamedWithinTheHour) {
  const std::vector<int> times = TimesNamed(GetParam());
  RecordProperty("named", static_cast<int>(times.size()));
  EXPECT_GE(times.size(), 98U) << "of " << kSeeds;
  ASSERT_FALSE(times.empty());
  RecordProperty("median_seconds", times[times.size() / 2]);
  // The longest takes until windows have several swings each.
  EXPECT_LE(times[times.size() / 2], 1200);
}

INSTANTIATE_TEST_SUITE_P(All, LeakFamilyTest, ::testing::ValuesIn(kLeaks));

class HarmlessFamilyTest : public ::testing::TestWithParam<Family> {};

// A single moment in one to three hours counts as a false alarm.
TEST_P(HarmlessFamilyTest, IsHardlyEverNamed) {
  const std::vector<int> times = TimesNamed(GetParam());
  RecordProperty("named", static_cast<int>(times.size()));
  EXPECT_LE(times.size(), 3U) << "of " << kSeeds;
}

INSTANTIATE_TEST_SUITE_P(All, HarmlessFamilyTest,
                         ::testing::ValuesIn(kHarmless));

}  // namespace
}  // namespace heapledger::collector::testing
