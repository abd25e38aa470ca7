// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/perf_map.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace heapledger::symbolizer {
namespace {

TEST(PerfMapTest, NamesTheCodeThatCoversAnAddress) {
  const PerfMap map = PerfMap::Parse(
      "7f0010 20 LazyCompile:*add /app/math.js:3\n"
      "0x7f0100 0x8 Builtin:ArrayMap\n");
  EXPECT_EQ(map.entries(), 2u);
  EXPECT_EQ(map.Find(0x7f000f), "");
  EXPECT_EQ(map.Find(0x7f0010), "LazyCompile:*add /app/math.js:3");
  EXPECT_EQ(map.Find(0x7f002f), "LazyCompile:*add /app/math.js:3");
  EXPECT_EQ(map.Find(0x7f0030), "");
  EXPECT_EQ(map.Find(0x7f0107), "Builtin:ArrayMap");
}

TEST(PerfMapTest, GivesOverlappedCodeToTheLaterLine) {
  const PerfMap map = PerfMap::Parse("100 100 old\n140 20 new\n");
  EXPECT_EQ(map.Find(0x100), "old");
  EXPECT_EQ(map.Find(0x150), "new");
  EXPECT_EQ(map.Find(0x160), "old");
}

TEST(PerfMapTest, SkipsGarbageAndCountsIt) {
  const PerfMap map = PerfMap::Parse(
      "\n"
      "no hex here\n"
      "100\n"
      "100 10\n"
      "100 10 \n"
      "100 0 empty\n"
      "-100 10 negative\n"
      "11112222333344445 10 too long\n"
      "ffffffffffffffff 2 past the end of memory\n"
      "100 10 good\r\n");
  EXPECT_EQ(map.entries(), 1u);
  EXPECT_EQ(map.skipped_lines(), 8u);
  EXPECT_EQ(map.Find(0x100), "good");
}

TEST(PerfMapTest, LeavesOutALineThatIsStillBeingWritten) {
  const PerfMap map = PerfMap::Parse("100 10 whole\n200 10 ha");
  EXPECT_EQ(map.Find(0x200), "");
  EXPECT_EQ(map.entries(), 1u);
}

TEST(PerfMapTest, FindsNothingInAnEmptyMap) {
  EXPECT_EQ(PerfMap::Parse("").Find(0), "");
  EXPECT_EQ(PerfMap().Find(1), "");
}

TEST(PerfMapTest, KeepsItsNamesWhenItMoves) {
  PerfMap map = PerfMap::Parse("100 10 f\n");
  const PerfMap moved = std::move(map);
  EXPECT_EQ(moved.Find(0x100), "f");
}

TEST(PerfMapTest, SurvivesRandomBytes) {
  std::mt19937 random(7);
  constexpr char kAlphabet[] = "0123456789abcdefx \t\r\n-g";
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (int i = 0; i < 400; ++i) {
      text.push_back(kAlphabet[random() % (sizeof kAlphabet - 1)]);
    }
    const PerfMap map = PerfMap::Parse(text);
    map.Find(random());
  }
}

TEST(PerfMapTest, IsNamedAfterTheProcess) {
  EXPECT_EQ(PerfMap::PathForPid(42), "/tmp/perf-42.map");
}

}  // namespace
}  // namespace heapledger::symbolizer
