// SPDX-License-Identifier: Apache-2.0
#include "collector/baseline/quantile_sketch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "collector/baseline/statistics.h"

namespace heapledger::collector::baseline {
namespace {

// By sorting: rank q * (n - 1), on the line between two.
double Exact(std::vector<double> values, double q) {
  std::ranges::sort(values);
  const double rank = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] +
         (rank - static_cast<double>(below)) * (values[above] - values[below]);
}

QuantileSketch Of(const std::vector<double>& values) {
  QuantileSketch sketch;
  for (const double value : values) sketch.Add(value);
  return sketch;
}

std::vector<std::vector<double>> Distributions() {
  std::mt19937_64 random(7);
  std::vector<std::vector<double>> all;
  for (const std::size_t n : {1U, 2U, 3U, 20U, 288U, 5000U}) {
    std::vector<double> uniform;
    std::vector<double> wide;
    std::vector<double> twins;
    for (std::size_t i = 0; i < n; ++i) {
      uniform.push_back(std::uniform_real_distribution<>(1e8, 2e8)(random));
      wide.push_back(std::exp(std::normal_distribution<>(10, 4)(random)));
      twins.push_back(i % 3 == 0 ? 1e6 : 1e12);
    }
    all.insert(all.end(), {uniform, wide, twins});
  }
  all.push_back({0, 0, 0});
  all.push_back({0, 0, 5, 1e-12, 0.3});
  return all;
}

TEST(QuantileSketchTest, QuantilesAreWithinOnePercent) {
  for (const auto& values : Distributions()) {
    const QuantileSketch sketch = Of(values);
    for (const double q : {0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0}) {
      const double exact = Exact(values, q);
      EXPECT_NEAR(sketch.Quantile(q), exact, 0.0100001 * exact + 1e-9)
          << values.size() << " " << q;
    }
  }
}

TEST(QuantileSketchTest, TheRestIsExact) {
  for (const auto& values : Distributions()) {
    const QuantileSketch sketch = Of(values);
    double sum = 0;
    for (const double value : values) sum += value;
    const double mean = sum / static_cast<double>(values.size());
    double squares = 0;
    for (const double value : values)
      squares += (value - mean) * (value - mean);
    EXPECT_NEAR(sketch.mean(), mean, 1e-9 * mean);
    EXPECT_EQ(sketch.min(), *std::ranges::min_element(values));
    EXPECT_EQ(sketch.max(), *std::ranges::max_element(values));
    if (values.size() < 2) {
      EXPECT_FALSE(sketch.StandardDeviation());
      continue;
    }
    const double deviation =
        std::sqrt(squares / static_cast<double>(values.size() - 1));
    EXPECT_NEAR(*sketch.StandardDeviation(), deviation, 1e-6 * deviation);
  }
}

TEST(QuantileSketchTest, TheMedianDeviationIsWithinOnePercentOfTheMedian) {
  for (const auto& values : Distributions()) {
    const double median = Exact(values, 0.5);
    std::vector<double> distances;
    for (const double value : values) {
      distances.push_back(std::abs(value - median));
    }
    const double exact = Exact(distances, 0.5);
    // Both the median and the value can be off by 1 % of themselves.
    EXPECT_NEAR(Of(values).MedianDeviation(), exact,
                0.02 * (median + exact) + 1e-9)
        << values.size();
  }
}

TEST(QuantileSketchTest, TwoSketchesAddUp) {
  for (const auto& values : Distributions()) {
    const auto middle = values.begin() + static_cast<int>(values.size() / 3);
    QuantileSketch sum = Of({values.begin(), middle});
    sum.Merge(Of({middle, values.end()}));
    const QuantileSketch whole = Of(values);
    EXPECT_EQ(sum.parts().buckets, whole.parts().buckets);
    EXPECT_EQ(sum.count(), whole.count());
    EXPECT_NEAR(sum.mean(), whole.mean(), 1e-9 * whole.mean());
    EXPECT_NEAR(sum.StandardDeviation().value_or(0),
                whole.StandardDeviation().value_or(0),
                1e-6 * whole.mean() + 1e-9);
  }
}

TEST(QuantileSketchTest, WhatIsNoAmountIsLeftOut) {
  QuantileSketch sketch;
  sketch.Add(-1);
  sketch.Add(std::nan(""));
  EXPECT_EQ(sketch.count(), 0U);
  sketch.Add(std::numeric_limits<double>::infinity());
  EXPECT_EQ(sketch.max(), 18446744073709551616.0);
}

TEST(QuantileSketchTest, MemoryIsBounded) {
  QuantileSketch sketch;
  for (double value = 1e-12; value < 1e21; value *= 1.001) sketch.Add(value);
  EXPECT_LE(sketch.parts().buckets.size(), 3300U);
}

TEST(QuantileSketchTest, NothingIsSaidOfNothing) {
  for (const Statistic& statistic : Describe(QuantileSketch())) {
    EXPECT_FALSE(statistic.value) << statistic.word;
  }
  const auto one = Describe(Of({7}));
  for (const Statistic& statistic : one) {
    if (statistic.word == "std_dev") {
      EXPECT_FALSE(statistic.value);
    } else {
      EXPECT_EQ(statistic.value, statistic.word == "mad" ? 0 : 7)
          << statistic.word;
    }
  }
}

}  // namespace
}  // namespace heapledger::collector::baseline
