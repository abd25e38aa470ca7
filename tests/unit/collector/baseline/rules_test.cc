// SPDX-License-Identifier: Apache-2.0
#include "collector/baseline/rules.h"

#include <gtest/gtest.h>

#include <string>

namespace heapledger::collector::baseline {
namespace {

constexpr auto kRss = static_cast<std::size_t>(Quantity::kRssBytes);
constexpr auto kUsage = static_cast<std::size_t>(Quantity::kUsageRatio);
constexpr auto kAvailable = static_cast<std::size_t>(Quantity::kAvailableBytes);

QuantileSketch Steady(double value, int samples) {
  QuantileSketch sketch;
  for (int i = 0; i < samples; ++i) sketch.Add(value);
  return sketch;
}

TEST(BaselineRulesTest, TheThresholdIsAFifthBeyond) {
  EXPECT_NEAR(*Threshold(Steady(1000, 100), kRss, {}), 1200, 1);
  EXPECT_NEAR(*Threshold(Steady(1000, 100), kAvailable, {}), 833.3, 1);
}

TEST(BaselineRulesTest, WhatVariesMuchGetsMoreRoom) {
  QuantileSketch sketch;
  for (int i = 0; i < 100; ++i) sketch.Add(i < 50 ? 500 : 1500);
  // Median 1000, MAD 500.
  EXPECT_NEAR(*Threshold(sketch, kRss, {}), 1000 + 6 * 1.4826 * 500, 100);
}

TEST(BaselineRulesTest, FewSamplesMakeNoRule) {
  EXPECT_FALSE(Threshold(Steady(1000, 29), kRss, {}));
  EXPECT_TRUE(Threshold(Steady(1000, 30), kRss, {}));
  EXPECT_FALSE(Threshold(Steady(1000, 1), kRss, {.minimum_samples = 0}));
}

TEST(BaselineRulesTest, NoRuleThatCannotFire) {
  EXPECT_FALSE(Threshold(Steady(0.9, 100), kUsage, {}));
  EXPECT_FALSE(Threshold(Steady(0, 100), kRss, {}));
  EXPECT_FALSE(Threshold(Steady(0, 100), kAvailable, {}));
}

TEST(BaselineRulesTest, AHostileNameStaysInItsPlace) {
  Baseline baseline;
  for (std::uint64_t i = 0; i < 100; ++i) {
    Sample sample;
    sample.realtime_ns = 1 + i;
    sample[Quantity::kRssBytes] = 1000;
    baseline["a'\"b\\{{c}}\nd"].current.Add(sample);
  }
  const auto text = RulesText(baseline, "f\n'g", {});
  ASSERT_TRUE(text);
  EXPECT_NE(
      text->find(R"(process_memory_rss_bytes{process="a''\"b\\{{c}}?d"})"),
      std::string::npos)
      << *text;
  EXPECT_NE(text->find("program: 'a?\"b\\??c???d'"), std::string::npos)
      << *text;
  EXPECT_EQ(text->find("f\n"), std::string::npos);
}

TEST(BaselineRulesTest, NothingToSayIsNoFile) {
  EXPECT_FALSE(RulesText({}, "f", {}));
}

}  // namespace
}  // namespace heapledger::collector::baseline
