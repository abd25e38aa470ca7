// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/suppressions.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/collector/gate/round_maker.h"

namespace heapledger::collector::gate {
namespace {

using std::chrono::day;
using std::chrono::month;
using std::chrono::year;
using testing::Leak;

constexpr Day kToday{year(2026), month(11), day(22)};

Suppressions Rules(const std::string& text) {
  Suppressions rules;
  const absl::Status status = rules.Add(text, "x.supp");
  EXPECT_TRUE(status.ok()) << status;
  return rules;
}

std::string Refusal(const std::string& text) {
  Suppressions rules;
  const absl::Status status = rules.Add(text, "x.supp");
  EXPECT_FALSE(status.ok()) << text;
  EXPECT_TRUE(rules.rules().empty());
  return std::string(status.message());
}

TEST(Suppressions, ReadsFilesOfLeakSanitizer) {
  const Suppressions rules = Rules(
      "# This is a known leak.\n"
      "leak:FooBar\n"
      "\n"
      "  leak:libpthread.so  \r\n"
      "leak:^a b*$");
  ASSERT_EQ(rules.rules().size(), 3U);
  EXPECT_EQ(rules.rules()[0].pattern, "FooBar");
  EXPECT_EQ(rules.rules()[1].pattern, "libpthread.so");
  EXPECT_EQ(rules.rules()[2].pattern, "^a b*$");
  EXPECT_EQ(rules.rules()[2].ToString(), "x.supp:5: leak:^a b*$");
  EXPECT_EQ(rules.rules()[0].reason, "");
}

TEST(Suppressions, TakesMoreFromCommentsAboveARule) {
  const Suppressions rules = Rules(
      "# reason=the driver caches it, see #17 expires=2027-06-30 max=64KiB\n"
      "leak:driver\n"
      "leak:plain\n"
      "#max=12\n"
      "# reason=\"two lines\"\n"
      "leak:twice\n"
      "# max=1K\n"
      "\n"
      "leak:after_a_gap\n"
      "# see max=later and what the reason= was\n"
      "leak:prose\n");
  ASSERT_EQ(rules.rules().size(), 5U);
  const SuppressionRule& driver = rules.rules()[0];
  EXPECT_EQ(driver.reason, "the driver caches it, see #17");
  ASSERT_TRUE(driver.expires.has_value());
  EXPECT_EQ(DayText(*driver.expires), "2027-06-30");
  EXPECT_EQ(driver.max_bytes, 65536U);
  EXPECT_FALSE(rules.rules()[1].expires.has_value());
  EXPECT_EQ(rules.rules()[2].reason, "two lines");
  EXPECT_EQ(rules.rules()[2].max_bytes, 12U);
  EXPECT_FALSE(rules.rules()[3].max_bytes.has_value());
  EXPECT_FALSE(rules.rules()[4].max_bytes.has_value());
}

TEST(Suppressions, NamesTheLineThatMakesNoSense) {
  EXPECT_EQ(Refusal("leak:a\nrace:b\n"),
            "suppressions x.supp:2: 'race:b' is no rule; write leak:PATTERN, "
            "or # before a comment");
  EXPECT_NE(Refusal("# expires=2027-02-30\nleak:a").find("x.supp:1: "),
            std::string::npos);
  EXPECT_NE(Refusal("# max=lots\nleak:a").find("'lots' is no size"),
            std::string::npos);
}

TEST(Suppressions, MatchesFunctionFileAndModuleOfAnyFrame) {
  const Finding finding = Leak(1, "parse", {10, 1});
  std::vector<std::size_t> expired;
  for (const char* pattern : {"^parse$", "^main$", "app/leak.c", "main.c$",
                              "^/usr/bin/prog$", "bin/prog", "*"}) {
    const Suppressions rules = Rules(std::string("leak:") + pattern);
    EXPECT_TRUE(rules.Match(finding, kToday, &expired).has_value()) << pattern;
  }
  for (const char* pattern : {"^prog$", "parser", "^leak.c", "other"}) {
    const Suppressions rules = Rules(std::string("leak:") + pattern);
    EXPECT_FALSE(rules.Match(finding, kToday, &expired).has_value()) << pattern;
  }
  EXPECT_TRUE(expired.empty());
}

TEST(Suppressions, HoldToTheEndOfTheirDay) {
  const Suppressions rules = Rules(
      "# expires=2026-11-21\nleak:parse\n"
      "# expires=2026-11-22\nleak:parse\n");
  std::vector<std::size_t> expired;
  EXPECT_EQ(rules.Match(Leak(1, "parse", {1, 1}), kToday, &expired), 1U);
  EXPECT_EQ(expired, std::vector<std::size_t>{0});
}

TEST(Suppressions, ReadsDays) {
  EXPECT_TRUE(ParseDay("2028-02-29").has_value());
  for (const char* text :
       {"", "2027-02-29", "2027-1-1", "27-01-01", "2027-13-01", "2027/01/01",
        "2027-01-01x", "-027-01-01", "2027--1-01"}) {
    EXPECT_FALSE(ParseDay(text).has_value()) << text;
  }
}

TEST(Suppressions, FindsItsFileInLsanOptions) {
  EXPECT_EQ(SuppressionsOption(""), "");
  EXPECT_EQ(SuppressionsOption("suppressions=a.supp"), "a.supp");
  EXPECT_EQ(SuppressionsOption("verbosity=1:suppressions=/x/a.supp:exitcode=0"),
            "/x/a.supp");
  EXPECT_EQ(SuppressionsOption("exitcode=0 suppressions='a b:c' x=1"), "a b:c");
  EXPECT_EQ(SuppressionsOption("print_suppressions=0"), "");
  EXPECT_EQ(SuppressionsOption("suppressions=\"open"), "open");
}

}  // namespace
}  // namespace heapledger::collector::gate
