// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/growth_chart.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace heapledger::collector::cli {
namespace {

obituary::Obituary Rising(std::size_t rows) {
  obituary::Obituary o;
  for (std::uint64_t i = 0; i < rows; ++i) {
    o.history.push_back({1'700'000'000'000 + 1000 * i, {1024 * i, 0, 0, 0}});
  }
  return o;
}

TEST(GrowthChartTest, TakesTheLastKnownValueAtEachMoment) {
  const obituary::Obituary o = Rising(5);
  EXPECT_EQ(Resample(o.history, 0, 4),
            (std::vector<std::uint64_t>{1024, 2048, 3072, 4096}));
  EXPECT_EQ(Resample(o.history, 0, 2),
            (std::vector<std::uint64_t>{2048, 4096}));
  EXPECT_TRUE(Resample({}, 0, 4).empty());
}

TEST(GrowthChartTest, DrawsTheScaleAndTheTime) {
  // 0 to 8 KiB over 24 columns: three for each second but the first and last,
  // and two eighths of a line for each KiB.
  const std::string text = CurveText(Rising(9), 24, 2);
  EXPECT_EQ(text,
            "   8.0 KiB ┤               ▂▂▂▄▄▄▆▆▆█\n"
            "         0 ┤   ▂▂▂▄▄▄▆▆▆█████████████\n"
            "             22:13:20        22:13:28\n");
}

TEST(GrowthChartTest, OneMomentIsNoCurve) {
  EXPECT_EQ(CurveText(Rising(0), 20, 3), "");
  EXPECT_EQ(CurveText(Rising(1), 20, 3), "");
}

TEST(GrowthChartTest, AFlatHeapOfNothingIsDrawnEmpty) {
  obituary::Obituary o = Rising(3);
  for (auto& row : o.history) row.values[0] = 0;
  EXPECT_NE(CurveText(o, 10, 2).find("0 B"), std::string::npos);
}

TEST(GrowthChartTest, ASparkIsScaledToItself) {
  EXPECT_EQ(SparkText(std::vector<std::uint64_t>{0, 1, 500, 1000}), " ▁▄█");
  EXPECT_EQ(SparkText(std::vector<std::uint64_t>{}), "");
}

}  // namespace
}  // namespace heapledger::collector::cli
