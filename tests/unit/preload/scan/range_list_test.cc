// SPDX-License-Identifier: Apache-2.0
#include "preload/scan/range_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace heapledger::preload::scan {
namespace {

using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

Ranges GapsOf(const RangeList& list, std::uint64_t start, std::uint64_t end) {
  Ranges gaps;
  list.ForEachGap(start, end, [&](std::uint64_t low, std::uint64_t high) {
    gaps.emplace_back(low, high);
    return true;
  });
  return gaps;
}

TEST(RangeListTest, LeavesEverythingWhereItIsEmpty) {
  RangeList list;
  Range room[1];
  list.Attach(room, 1);
  list.Seal();
  EXPECT_EQ(GapsOf(list, 10, 20), (Ranges{{10, 20}}));
  EXPECT_TRUE(GapsOf(list, 10, 10).empty());
}

TEST(RangeListTest, CutsHolesOutOfARange) {
  RangeList list;
  Range room[8];
  list.Attach(room, 8);
  list.Add(50, 60);
  list.Add(5, 12);
  list.Add(20, 30);
  list.Add(25, 35);
  list.Seal();
  EXPECT_EQ(list.size(), 3U);
  EXPECT_EQ(GapsOf(list, 10, 55), (Ranges{{12, 20}, {35, 50}}));
  EXPECT_TRUE(GapsOf(list, 21, 34).empty());
  EXPECT_TRUE(list.Contains(34));
  EXPECT_FALSE(list.Contains(35));
}

TEST(RangeListTest, JoinsWhatComesInOrderAndSaysWhenThereIsNoRoom) {
  RangeList list;
  Range room[1];
  list.Attach(room, 1);
  for (std::uint64_t at = 0; at < 100; ++at) list.Add(at, at + 1);
  EXPECT_FALSE(list.overflowed());
  list.Add(200, 201);
  EXPECT_TRUE(list.overflowed());
}

TEST(RangeListTest, StopsWhenTheVisitorHasEnough) {
  RangeList list;
  Range room[1];
  list.Attach(room, 1);
  list.Add(10, 20);
  list.Seal();
  int visits = 0;
  EXPECT_FALSE(list.ForEachGap(0, 30, [&](std::uint64_t, std::uint64_t) {
    ++visits;
    return false;
  }));
  EXPECT_EQ(visits, 1);
}

TEST(RangeListTest, AgreesWithAModelOverRandomRanges) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    RangeList list;
    Range room[40];
    list.Attach(room, 40);
    std::vector<bool> covered(300);
    for (int i = 0; i < 30; ++i) {
      const std::uint64_t start = random() % 280;
      const std::uint64_t end = start + random() % 20;
      list.Add(start, end);
      std::fill(covered.begin() + start, covered.begin() + end, true);
    }
    list.Seal();
    std::vector<bool> left(300);
    for (const auto& [low, high] : GapsOf(list, 0, 300)) {
      std::fill(left.begin() + low, left.begin() + high, true);
    }
    for (std::size_t i = 0; i < 300; ++i) ASSERT_NE(covered[i], left[i]) << i;
  }
}

TEST(RangeListTest, GivesTheInsideAndTheOutsideOfARange) {
  Range ranges[4];
  RangeList list;
  list.Attach(ranges, 4);
  list.Add(50, 60);
  list.Add(10, 20);
  list.Add(30, 40);
  list.Seal();
  std::vector<std::pair<std::uint64_t, std::uint64_t>> parts;
  list.ForEachPart(15, 55, [&parts](std::uint64_t low, std::uint64_t high) {
    parts.emplace_back(low, high);
  });
  EXPECT_EQ(parts, (std::vector<std::pair<std::uint64_t, std::uint64_t>>{
                       {15, 20}, {30, 40}, {50, 55}}));
  std::vector<std::uint64_t> starts;
  list.ForEach(
      [&starts](const Range& range) { starts.push_back(range.start); });
  EXPECT_EQ(starts, (std::vector<std::uint64_t>{10, 30, 50}));
}

TEST(HeapSortTest, SortsWhateverTheOrder) {
  std::mt19937 random(12);
  for (std::size_t count = 0; count < 70; ++count) {
    std::vector<std::uint64_t> values(count);
    for (auto& value : values) value = random() % 50;
    std::vector<std::uint64_t> expected = values;
    std::sort(expected.begin(), expected.end());
    HeapSort(values.data(), count,
             [](std::uint64_t a, std::uint64_t b) { return a < b; });
    ASSERT_EQ(values, expected);
  }
}

}  // namespace
}  // namespace heapledger::preload::scan
