// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/growth.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

constexpr std::size_t kMinute = 0;
constexpr std::size_t kFiveMinutes = 1;
constexpr std::size_t kHalfHour = 2;

// One sample a second of value(t).
template <typename Value>
History Sampled(int seconds, Value&& value) {
  History history;
  for (int t = 0; t <= seconds; ++t) {
    history.Add({(static_cast<std::uint64_t>(t) + 1) * kSecondNs, value(t)});
  }
  return history;
}

TEST(TheilSenSlopeTest, NeedsAFewSamples) {
  const Sample samples[] = {{0, 0}, {kSecondNs, 1}, {2 * kSecondNs, 2}};
  EXPECT_FALSE(TheilSenSlope(samples));
}

TEST(TheilSenSlopeTest, IsNotMovedByOneBurst) {
  std::vector<Sample> samples;
  for (std::uint64_t t = 0; t < 20; ++t) {
    samples.push_back({t * kSecondNs, static_cast<double>(10 * t)});
  }
  samples[7].value = 1e9;
  EXPECT_NEAR(*TheilSenSlope(samples), 10, 0.5);
}

TEST(GrowthTest, GivesNoRateForAWindowBarelySeen) {
  const GrowthRates rates =
      GrowthOf(Sampled(30, [](int t) { return 5.0 * t; }));
  ASSERT_TRUE(rates[kMinute]);
  EXPECT_NEAR(*rates[kMinute], 5, 1e-6);
  EXPECT_FALSE(rates[kFiveMinutes]);
  EXPECT_FALSE(rates[kHalfHour]);
}

TEST(GrowthTest, SeesEachWindowsOwnPast) {
  // Flat for 50 minutes, then 100 a second for 60 seconds.
  const GrowthRates rates = GrowthOf(
      Sampled(3060, [](int t) { return t < 3000 ? 0.0 : 100.0 * (t - 3000); }));
  EXPECT_NEAR(*rates[kMinute], 100, 5);
  EXPECT_LT(*rates[kFiveMinutes], 20);
  EXPECT_NEAR(*rates[kHalfHour], 0, 1);
}

TEST(GrowthTest, CallsASawtoothFlat) {
  const GrowthRates rates =
      GrowthOf(Sampled(3600, [](int t) { return 1000.0 * (t % 37); }));
  EXPECT_NEAR(*rates[kHalfHour], 0, 5);
}

TEST(GrowthMeterTest, AgreesWithTheHistoryWheneverARingTakesASample) {
  GrowthMeter meter;
  History history;
  for (std::uint64_t t = 1; t < 3000; ++t) {
    const Sample sample = {t * kSecondNs, double(t * t % 1009)};
    std::array<std::uint64_t, kGrowthWindows.size()> taken;
    for (std::size_t window = 0; window < taken.size(); ++window) {
      taken[window] = history.taken(window);
    }
    history.Add(sample);
    meter.Add(sample);
    const GrowthRates rates = GrowthOf(history);
    for (std::size_t window = 0; window < taken.size(); ++window) {
      if (history.taken(window) == taken[window]) continue;
      EXPECT_EQ(meter.Rates()[window], rates[window]) << t;
    }
  }
}

TEST(HistoryTest, KeepsTheNewestSampleAndNothingOutsideTheWindow) {
  const History history = Sampled(4000, [](int t) { return double(t); });
  for (std::size_t window = 0; window < kGrowthWindows.size(); ++window) {
    const auto samples = history.Window(window);
    ASSERT_FALSE(samples.empty());
    EXPECT_EQ(samples.back().value, 4000);
    EXPECT_LE(samples.size(), History::kSamplesPerWindow + 1);
    EXPECT_LE(samples.back().time_ns - samples.front().time_ns,
              kGrowthWindows[window].length_ns);
    EXPECT_GE(samples.back().time_ns - samples.front().time_ns,
              kGrowthWindows[window].length_ns * 9 / 10);
  }
}

TEST(HistoryTest, LeavesOutTimesThatGoBack) {
  History history;
  history.Add({10 * kSecondNs, 1});
  history.Add({5 * kSecondNs, 2});
  history.Add({10 * kSecondNs, 3});
  EXPECT_EQ(history.Window(0).size(), 1U);
}

}  // namespace
}  // namespace heapledger::collector
