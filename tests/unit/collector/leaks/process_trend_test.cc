// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/process_trend.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <ostream>
#include <random>

namespace heapledger::collector {
namespace {

constexpr std::uint64_t kBegin = 1'048'576 * kSecondNs;
constexpr double kMiB = 1 << 20;
constexpr double kLimit = 1024 * kMiB;

// A process with 1 GiB, a sample a second, with a MiB of noise.
class Watched {
 public:
  // Seconds [from, to) of live(t) bytes, or until they reach the limit. Returns
  // the second of the first forecast, or -1.
  template <typename Live>
  int Run(int from, int to, Live&& live) {
    int first = -1;
    for (int t = from; t < to; ++t) {
      const auto bytes = static_cast<std::uint64_t>(
          std::max(live(t) + kMiB * noise_(random_), 0.0));
      if (static_cast<double>(bytes) >= kLimit) break;
      trend.AddResident(kBegin + static_cast<std::uint64_t>(t) * kSecondNs,
                        bytes, static_cast<std::uint64_t>(kLimit) - bytes);
      if (first < 0 && trend.exhaustion_seconds()) first = t;
    }
    return first;
  }

  ProcessTrend trend;

 private:
  std::mt19937_64 random_{7};
  std::normal_distribution<double> noise_;
};

// From 200 MiB at 3600 s to the limit an hour later.
double Leak(int t) {
  return 200 * kMiB + 824 * kMiB / 3600 * std::max(t - 3600, 0);
}

TEST(ProcessTrendTest, SaysNothingOfAProcessAtRest) {
  Watched watched;
  EXPECT_EQ(watched.Run(0, 10'000, [](int) { return 300 * kMiB; }), -1);
  EXPECT_EQ(watched.trend.growth(), nullptr);
  EXPECT_EQ(watched.trend.score(), 0);
}

TEST(ProcessTrendTest, ForecastsTheEndOfALeakWithinHalfAnHour) {
  Watched watched;
  const int said = watched.Run(0, 5400, Leak);
  ASSERT_GE(said, 3600);
  EXPECT_LE(said, 3600 + 1800);
  ASSERT_NE(watched.trend.growth(), nullptr);
  EXPECT_NEAR(watched.trend.growth()->bytes_per_second, 824 * kMiB / 3600,
              0.1 * 824 * kMiB / 3600);
  // It ends at 7200 s.
  ASSERT_TRUE(watched.trend.exhaustion_seconds());
  EXPECT_NEAR(*watched.trend.exhaustion_seconds(), 1800, 500);
  const double score = watched.trend.score();
  EXPECT_GT(score, 0.1);
  (void)watched.Run(5400, 7000, Leak);
  EXPECT_GT(watched.trend.score(), score);
  EXPECT_LT(*watched.trend.exhaustion_seconds(), 400);
}

TEST(ProcessTrendTest, ForecastsNothingWithoutAHeadroom) {
  ProcessTrend trend;
  for (int t = 0; t < 6000; ++t) {
    trend.AddResident(kBegin + static_cast<std::uint64_t>(t) * kSecondNs,
                      static_cast<std::uint64_t>(Leak(t)), std::nullopt);
    EXPECT_FALSE(trend.exhaustion_seconds());
  }
  EXPECT_NE(trend.growth(), nullptr);
}

TEST(ProcessTrendTest, TakesTheForecastBackOnceTheMemoryComesBack) {
  Watched watched;
  (void)watched.Run(0, 6000, Leak);
  ASSERT_TRUE(watched.trend.exhaustion_seconds());
  (void)watched.Run(6000, 6120, [](int) { return 200 * kMiB; });
  EXPECT_FALSE(watched.trend.exhaustion_seconds());
}

TEST(ProcessTrendTest, SeesALeakUnderASawtoothTwentyTimesAsHigh) {
  Watched watched;
  // Teeth of 3 minutes and 300 MiB; 5 MiB of each stay.
  const auto leak = [](int t) {
    return 100 * kMiB + 300 * kMiB * (t % 180) / 180 +
           5 * kMiB * std::max(t - 3600, 0) / 180;
  };
  const int said = watched.Run(0, 26'000, leak);
  // The peaks reach the limit at 26'064 s.
  ASSERT_GE(said, 3600);
  EXPECT_LE(said, 26'064 - 3600);
  EXPECT_NEAR(*watched.trend.exhaustion_seconds(), 64, 600);
}

struct Harmless {
  const char* name;
  double (*live)(int t);
};

// For the names of the cases.
void PrintTo(const Harmless& harmless, std::ostream* out) {
  *out << harmless.name;
}

double Steps(int t) { return 100 * kMiB * (1 + t / 3000); }
double Sawtooth(int t) { return 150 * kMiB + 600 * kMiB * (t % 900) / 900; }
double WarmUp(int t) {
  return 200 * kMiB + 140 * kMiB * std::log1p(std::max(t - 2000, 0) / 300.);
}
double Plateau(int t) {
  return 200 * kMiB - 600 * kMiB * std::expm1(-std::max(t - 3000, 0) / 1500.);
}
// Of eight hours.
double Day(int t) {
  return 500 * kMiB - 300 * kMiB * std::cos(2 * std::numbers::pi * t / 28'800);
}
double Bursts(int t) { return 200 * kMiB + (t % 1000 < 120 ? 600 * kMiB : 0); }

constexpr Harmless kHarmless[] = {
    {"steps", Steps},     {"sawtooth", Sawtooth}, {"warm-up", WarmUp},
    {"plateau", Plateau}, {"day", Day},           {"bursts", Bursts},
};

class HarmlessTest : public ::testing::TestWithParam<Harmless> {};

TEST_P(HarmlessTest, HasNoForecastWorthAnAlarm) {
  Watched watched;
  for (int t = 0; t < 20'000; ++t) {
    (void)watched.Run(t, t + 1, GetParam().live);
    const auto seconds = watched.trend.exhaustion_seconds();
    ASSERT_FALSE(seconds && *seconds < 3000) << t << " s: " << *seconds;
  }
}

INSTANTIATE_TEST_SUITE_P(All, HarmlessTest, ::testing::ValuesIn(kHarmless));

TEST(SecondsToAddTest, GoesOnAsTheWindowEnds) {
  GrowthEvidence growth;
  growth.window_ns = 3000 * kSecondNs;
  growth.bytes_per_second = 10;
  growth.early_rise_bytes = 10'000;
  growth.late_rise_bytes = 12'000;
  // Faster: the rate of the end, 12 a second times the root of the ratio.
  EXPECT_NEAR(*SecondsToAdd(growth, 1000), 1000 / (12 * std::sqrt(1.2)), 1e-6);
  // Slower: each third has 0.8 of the one before. There is an end to it, with a
  // doubt at 10'000 * 0.68 / 0.32 = 21'250.
  growth.late_rise_bytes = 8000;
  EXPECT_NEAR(*SecondsToAdd(growth, 8000 + 6400), 2000, 1e-6);
  EXPECT_TRUE(SecondsToAdd(growth, 21'000));
  EXPECT_FALSE(SecondsToAdd(growth, 21'500));
  growth.late_rise_bytes = 0;
  EXPECT_FALSE(SecondsToAdd(growth, 1));
}

}  // namespace
}  // namespace heapledger::collector
