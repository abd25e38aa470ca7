// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/range_index.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <vector>

namespace heapledger::symbolizer {
namespace {

using Index = RangeIndex<int>;

constexpr auto kHigherValueWins = [](const Index::Range& a,
                                     const Index::Range& b) {
  return a.value > b.value;
};

std::optional<int> Find(const Index& index, std::uint64_t address) {
  const int* value = index.Find(address);
  if (value == nullptr) return std::nullopt;
  return *value;
}

TEST(RangeIndexTest, FindsNothingInAnEmptyIndex) {
  EXPECT_EQ(Index().Find(0), nullptr);
  EXPECT_TRUE(Index::Build({}, kHigherValueWins).empty());
}

TEST(RangeIndexTest, IncludesTheFirstAddressAndNotTheEnd) {
  const Index index = Index::Build({{10, 20, 1}}, kHigherValueWins);
  EXPECT_EQ(Find(index, 9), std::nullopt);
  EXPECT_EQ(Find(index, 10), 1);
  EXPECT_EQ(Find(index, 19), 1);
  EXPECT_EQ(Find(index, 20), std::nullopt);
}

TEST(RangeIndexTest, ComesBackToTheOuterRangeBehindANestedOne) {
  const Index index =
      Index::Build({{10, 50, 1}, {20, 30, 2}}, kHigherValueWins);
  EXPECT_EQ(Find(index, 15), 1);
  EXPECT_EQ(Find(index, 25), 2);
  EXPECT_EQ(Find(index, 35), 1);
}

TEST(RangeIndexTest, IgnoresEmptyAndInvertedRanges) {
  const Index index =
      Index::Build({{10, 10, 1}, {30, 20, 2}}, kHigherValueWins);
  EXPECT_TRUE(index.empty());
}

TEST(RangeIndexTest, ReachesTheLastAddressesThereAre) {
  const std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
  const Index index = Index::Build({{max - 5, max, 7}}, kHigherValueWins);
  EXPECT_EQ(Find(index, max - 1), 7);
  EXPECT_EQ(Find(index, max), std::nullopt);
}

TEST(RangeIndexTest, JoinsNeighboursOfTheSameValue) {
  const Index index =
      Index::Build({{10, 20, 1}, {20, 30, 1}, {12, 14, 1}}, kHigherValueWins);
  EXPECT_EQ(index.pieces().size(), 1u);
}

// The index against the definition, on random ranges.
TEST(RangeIndexTest, AgreesWithALinearSearch) {
  std::mt19937 random(20240501);
  for (int round = 0; round < 50; ++round) {
    std::vector<Index::Range> ranges;
    for (int i = 0; i < 60; ++i) {
      const std::uint64_t low = random() % 200;
      ranges.push_back({low, low + random() % 40, i});
    }
    const Index index = Index::Build(ranges, kHigherValueWins);
    for (std::uint64_t address = 0; address < 250; ++address) {
      std::optional<int> expected;
      for (const Index::Range& range : ranges) {
        if (address >= range.low && address < range.high) {
          expected = range.value;
        }
      }
      ASSERT_EQ(Find(index, address), expected) << "at " << address;
    }
  }
}

}  // namespace
}  // namespace heapledger::symbolizer
