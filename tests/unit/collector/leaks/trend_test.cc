// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/trend.h"

#include <gtest/gtest.h>

#include <vector>

namespace heapledger::collector {
namespace {

TEST(MannKendallTest, AgreesWithFiguresWorkedByHand) {
  // 45 pairs, all up: S = 45, variance 10 * 9 * 25 / 18 = 125.
  const std::vector<double> up = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_NEAR(MannKendallScore(up), 44 / 11.1803, 1e-4);
  const std::vector<double> down(up.rbegin(), up.rend());
  EXPECT_NEAR(MannKendallScore(down), -44 / 11.1803, 1e-4);
}

TEST(MannKendallTest, CountsTiesForNeither) {
  // S = 4; variance (4 * 3 * 13 - 2 * (2 * 1 * 9)) / 18.
  const std::vector<double> tied = {1, 1, 2, 2};
  EXPECT_NEAR(MannKendallScore(tied), 3 / 2.5820, 1e-4);
}

TEST(MannKendallTest, SaysNothingWithoutATrend) {
  EXPECT_EQ(MannKendallScore(std::vector<double>{1, 2}), 0);
  EXPECT_EQ(MannKendallScore(std::vector<double>{5, 5, 5, 5, 5}), 0);
  EXPECT_EQ(MannKendallScore(std::vector<double>{1, 3, 1, 3, 1, 3, 1}), 0);
}

TEST(RisesTest, CountsOnlyWhatLiesAbove) {
  EXPECT_EQ(Rises(std::vector<double>{1, 2, 2, 1, 5}), 2U);
  EXPECT_EQ(Rises(std::vector<double>{}), 0U);
}

}  // namespace
}  // namespace heapledger::collector
