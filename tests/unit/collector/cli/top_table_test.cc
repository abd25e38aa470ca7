// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/top_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector::cli {
namespace {

using collector::testing::HeapMaker;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Terminal::Size kScreen = {30, 120};

class TopTableTest : public ::testing::Test {
 protected:
  TopTableTest() {
    small_ = maker_.AddCallsite({maker_.AddFrame("Small")}, 1000, 100);
    large_ = maker_.AddCallsite({maker_.AddFrame("Large")}, 900000, 3);
    maker_.callsite(small_).first_seen_monotonic_ns = 40 * kSecondNs;
    maker_.callsite(large_).first_seen_monotonic_ns = 90 * kSecondNs;
    maker_.snapshot().taken_monotonic_ns = 100 * kSecondNs;
  }

  void Look() {
    table_.Add({account_.Update(maker_.Take())});
    maker_.snapshot().taken_monotonic_ns += kSecondNs;
  }
  TopTable::Wish Press(char character) {
    return table_.Press({Key::Kind::kCharacter, character});
  }
  // The names in the order of the table.
  std::vector<std::string> Functions() {
    std::vector<std::string> functions;
    for (const std::string& line : std::vector<std::string>(
             absl::StrSplit(table_.Lines(kScreen), '\n'))) {
      for (const char* name : {"Small", "Large"}) {
        if (line.find(name) != std::string::npos) functions.emplace_back(name);
      }
    }
    return functions;
  }

  HeapMaker maker_;
  std::uint32_t small_ = 0;
  std::uint32_t large_ = 0;
  ProcessAccount account_{EveryCallsite(), &maker_.names()};
  TopTable table_;
};

TEST_F(TopTableTest, SaysWhatToDoWhereNothingRuns) {
  EXPECT_THAT(table_.Lines(kScreen), HasSubstr("heapledger run -- CMD"));
  EXPECT_EQ(Press('s'), TopTable::Wish::kNone);
  EXPECT_EQ(Press('q'), TopTable::Wish::kQuit);
}

TEST_F(TopTableTest, SortsByWhatTheKeySays) {
  Look();
  maker_.Allocate(small_, 5000, 1);
  Look();
  EXPECT_THAT(Functions(), ElementsAre("Large", "Small"));
  Press('o');
  EXPECT_THAT(Functions(), ElementsAre("Small", "Large"));
  Press('l');
  EXPECT_THAT(Functions(), ElementsAre("Large", "Small"));
  Press('g');
  EXPECT_THAT(Functions(), ElementsAre("Small", "Large"));
  Press('a');
  EXPECT_THAT(Functions(), ElementsAre("Large", "Small"));
  Press('t');  // the oldest first
  EXPECT_THAT(Functions(), ElementsAre("Small", "Large"));
}

TEST_F(TopTableTest, ShowsGrowthPerSecondAndAge) {
  Look();
  maker_.snapshot().taken_monotonic_ns += kSecondNs;
  maker_.Allocate(small_, 4096, 1);
  Look();
  const std::string lines = table_.Lines(kScreen);
  EXPECT_THAT(lines, HasSubstr("+2.0 KiB/s"));
  EXPECT_THAT(lines, HasSubstr("growth +2.0 KiB/s"));
  EXPECT_THAT(lines, HasSubstr("1m02s"));
}

TEST_F(TopTableTest, ShowsOnlyWhatGrewSinceTheMark) {
  Look();
  Press('m');
  maker_.Free(large_, 300000, 1);
  maker_.Allocate(small_, 2048, 1);
  Look();
  EXPECT_THAT(Functions(), ElementsAre("Small"));
  EXPECT_THAT(table_.Lines(kScreen), HasSubstr("+2.0 KiB"));
  Look();
  EXPECT_THAT(table_.Lines(kScreen), HasSubstr("+2.0 KiB"));
  Press('m');
  EXPECT_EQ(Functions().size(), 2U);
}

TEST_F(TopTableTest, HoldsStillWhilePaused) {
  Look();
  const std::string before = table_.Lines(kScreen);
  Press(' ');
  maker_.Allocate(large_, 1 << 20, 1);
  Look();
  EXPECT_THAT(table_.Lines(kScreen), HasSubstr("PAUSED"));
  EXPECT_THAT(table_.Lines(kScreen), HasSubstr("878.9 KiB"));
  Press(' ');
  Look();
  EXPECT_THAT(table_.Lines(kScreen), HasSubstr("1.9 MiB"));
}

TEST_F(TopTableTest, ShowsFunctionsOrModulesInsteadOfCallsites) {
  Look();
  Press('d');
  EXPECT_THAT(table_.Lines(kScreen), HasSubstr("MODULE"));
  EXPECT_THAT(table_.Lines(kScreen), HasSubstr("prog"));
  EXPECT_TRUE(Functions().empty());
  Press('f');
  EXPECT_THAT(Functions(), ElementsAre("Large", "Small"));
}

TEST_F(TopTableTest, KeepsTheLastLookAtAProgramThatEnded) {
  Look();
  table_.Add({});
  EXPECT_THAT(table_.Lines(kScreen), HasSubstr("last look"));
  EXPECT_THAT(Functions(), ElementsAre("Large", "Small"));
}

TEST_F(TopTableTest, FollowsAProcessFromOneImageToTheNext) {
  Look();
  HeapMaker next(2);
  next.AddCallsite({next.AddFrame("Next")}, 10, 1);
  ProcessAccount account(EveryCallsite(), &next.names());
  table_.Add({account.Update(next.Take())});
  EXPECT_THAT(table_.Lines(kScreen), HasSubstr("Next"));
  EXPECT_THAT(table_.Lines(kScreen), Not(HasSubstr("program 1 of")));
}

TEST_F(TopTableTest, GoesFromOneProgramToTheNext) {
  Look();
  HeapMaker other(2);
  other.snapshot().identity.pid = 77;
  other.AddCallsite({other.AddFrame("Other")}, 10, 1);
  ProcessAccount account(EveryCallsite(), &other.names());
  table_.Add({account_.Update(maker_.Take()), account.Update(other.Take())});
  EXPECT_THAT(table_.Lines(kScreen), HasSubstr("program 1 of 2"));
  EXPECT_THAT(table_.Lines(kScreen), Not(HasSubstr("Other")));
  Press('\t');
  EXPECT_THAT(table_.Lines(kScreen), HasSubstr("Other"));
  EXPECT_EQ(table_.selected()->identity.pid, 77U);
}

TEST_F(TopTableTest, FitsTheScreenHoweverSmall) {
  for (int i = 0; i < 100; ++i) {
    maker_.AddCallsite({maker_.AddFrame("F" + std::to_string(i))}, 1, 1);
  }
  Look();
  Look();
  for (const Terminal::Size size :
       {Terminal::Size{5, 20}, {1, 1}, {24, 80}, {12, 40}}) {
    const std::string text = table_.Lines(size);
    const std::vector<std::string> lines = absl::StrSplit(text, '\n');
    EXPECT_LE(lines.size(), size.rows);
    for (const std::string& line : lines) {
      EXPECT_LE(line.size(), size.columns * 3) << line;
    }
  }
  for (int i = 0; i < 500; ++i) table_.Press({Key::Kind::kPageDown, 0});
  EXPECT_THAT(table_.Lines(kScreen), HasSubstr("LIVE"));
}

TEST(SparklineTest, GoesFromTheLeastToTheMost) {
  EXPECT_EQ(Sparkline({0, 7}), "▁█");
  EXPECT_EQ(Sparkline({3, 1, 2}), "█▁▅");
  EXPECT_EQ(Sparkline({5, 5, 5}), "");
  EXPECT_EQ(Sparkline({5}), "");
}

}  // namespace
}  // namespace heapledger::collector::cli
