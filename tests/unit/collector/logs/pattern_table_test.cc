// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/pattern_table.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace heapledger::collector::logs {
namespace {

Pattern One(Wording wording) {
  return {"mine", Severity::kLow, "", {std::move(wording)}};
}

bool Matches(const Wording& wording, const LogLine& line) {
  const auto table = PatternTable::Compile({One(wording)});
  EXPECT_TRUE(table.ok()) << table.status();
  return !(*table)->Match(line).empty();
}

LogLine Said(std::string_view program, std::string_view text) {
  return {program, 0, text, 0};
}

TEST(PatternTableTest, AWordingOfAProgramIsNobodyElses) {
  const Wording wording{"^short", {"kernel"}, "", {}};
  EXPECT_TRUE(Matches(wording, Said("kernel", "Short of pages")));
  EXPECT_TRUE(Matches(wording, Said("", "short of pages")));
  EXPECT_FALSE(Matches(wording, Said("app", "short of pages")));
  EXPECT_FALSE(Matches(wording, Said("kernel", "not short of pages")));
}

TEST(PatternTableTest, UnlessTakesALineOut) {
  const Wording wording{"failed", {}, "0 failed", {}};
  EXPECT_TRUE(Matches(wording, Said("", "10 have FAILED")));
  EXPECT_FALSE(Matches(wording, Said("", "0 FAILED")));
}

TEST(PatternTableTest, ANumberMustReachItsThreshold) {
  const Wording first{R"(took ([0-9.]+)s)", {}, "", 2.5};
  EXPECT_FALSE(Matches(first, Said("", "took 2.4s")));
  EXPECT_TRUE(Matches(first, Said("", "took 2.5s")));
  const Wording named{R"((\w+) took (?P<number>[0-9.]+)s)", {}, "", 2.5};
  EXPECT_TRUE(Matches(named, Said("", "it took 3s")));
  const Wording words{R"(took (\w+))", {}, "", 2.5};
  EXPECT_FALSE(Matches(words, Said("", "took nan")));
  EXPECT_FALSE(Matches(words, Said("", "took long")));
}

TEST(PatternTableTest, AThresholdNeedsANumber) {
  const auto table = PatternTable::Compile({One({"took long", {}, "", 2.5})});
  EXPECT_NE(table.status().message().find("captures no number"),
            std::string::npos);
}

TEST(PatternTableTest, ABadExpressionIsNamed) {
  for (const char* regex : {"(", "a{1001}", "(?=ahead)", "(a)\\1"}) {
    const auto table = PatternTable::Compile({One({regex, {}, "", {}})});
    ASSERT_FALSE(table.ok()) << regex;
    EXPECT_NE(table.status().message().find("mine"), std::string::npos);
    EXPECT_FALSE(PatternTable::Compile({One({"x", {}, regex, {}})}).ok());
  }
}

TEST(PatternTableTest, APatternCountsALineOnce) {
  const auto table = PatternTable::Compile(
      {{"mine",
        Severity::kLow,
        "",
        {{"a", {}, "", {}}, {"b (?P<killed>\\w+)", {}, "", {}}}}});
  const auto matches = (*table)->Match(Said("", "a b him"));
  ASSERT_EQ(matches.size(), 1U);
  EXPECT_EQ(matches[0].killed, "him");
}

TEST(PatternTableTest, BytesThatAreNoTextMatchAllTheSame) {
  EXPECT_TRUE(Matches({"^x.*y$", {}, "", {}}, Said("", "x\xff\xfe\x80y")));
}

// A line made to make a backtracking matcher go over it again and again.
TEST(PatternTableTest, NoLineHoldsTheReaderUp) {
  const auto table = PatternTable::Compile(BuiltInPatterns());
  std::string line;
  while (line.size() < 16384) line += "memory malloc failed swap (1) [gc][1] ";
  const auto begin = std::chrono::steady_clock::now();
  (void)(*table)->Match(Said("", line));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

}  // namespace
}  // namespace heapledger::collector::logs
