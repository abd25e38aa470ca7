// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/rise.h"

#include <gtest/gtest.h>

#include <vector>

namespace heapledger::collector::obituary {
namespace {

// One value a second.
std::optional<Rise> Of(const std::vector<std::uint64_t>& values) {
  std::vector<SeriesRow> rows;
  for (std::size_t i = 0; i < values.size(); ++i) {
    rows.push_back({1000 * i, {0, values[i]}});
  }
  return RiseToTheEnd(rows, 1);
}

TEST(RiseTest, SteadyGrowthIsSeenFromItsBeginning) {
  const auto rise = Of({100, 200, 300, 400, 500});
  ASSERT_TRUE(rise);
  EXPECT_EQ(rise->bytes, 400U);
  EXPECT_DOUBLE_EQ(rise->seconds, 4);
  EXPECT_DOUBLE_EQ(rise->bytes_per_second(), 100);
}

TEST(RiseTest, ALevelBeforeItIsNoPartOfIt) {
  // The last moment at the level counts as the beginning.
  const auto rise = Of({100, 100, 100, 100, 200, 300, 400});
  ASSERT_TRUE(rise);
  EXPECT_DOUBLE_EQ(rise->seconds, 3);
}

TEST(RiseTest, ADropEndsIt) {
  const auto rise = Of({0, 500, 900, 100, 300, 500, 700});
  ASSERT_TRUE(rise);
  EXPECT_EQ(rise->bytes, 600U);
  EXPECT_DOUBLE_EQ(rise->seconds, 3);
}

TEST(RiseTest, SmallSwingsDoNotEndIt) {
  const auto rise = Of({100, 300, 290, 500, 480, 700});
  ASSERT_TRUE(rise);
  EXPECT_EQ(rise->bytes, 600U);
}

TEST(RiseTest, WhatDoesNotRiseHasNone) {
  EXPECT_FALSE(Of({}));
  EXPECT_FALSE(Of({1, 2, 3}));
  EXPECT_FALSE(Of({500, 500, 500, 500, 500}));
  EXPECT_FALSE(Of({500, 400, 300, 200}));
  EXPECT_FALSE(Of({1000, 1010, 1020, 1030, 1040}));  // next to nothing
}

}  // namespace
}  // namespace heapledger::collector::obituary
