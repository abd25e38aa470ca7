// SPDX-License-Identifier: Apache-2.0
#include "collector/system/numbers.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

TEST(NumbersTest, TakesDigitsAndNothingElse) {
  EXPECT_EQ(ParseNumber("0"), 0U);
  EXPECT_EQ(ParseNumber("18446744073709551615"), 18446744073709551615U);
  for (const char* text : {"", " 1", "1 ", "-1", "+1", "1.5", "0x10", "max",
                           "18446744073709551616", "99999999999999999999999"}) {
    EXPECT_EQ(ParseNumber(text), std::nullopt) << text;
  }
}

TEST(NumbersTest, ReadsLinesByTheirWholeName) {
  std::optional<std::uint64_t> cached, swap, faults, none;
  ReadNumbers(
      "Cached:  2 kB\nSwapCached:\t7 kB\nCached: 9 kB\npgfault 5\nx\n: 1\n",
      {{"Cached", &cached},
       {"SwapCached", &swap},
       {"pgfault", &faults},
       {"pgfaul", &none}});
  EXPECT_EQ(cached, 2048U) << "the first one counts";
  EXPECT_EQ(swap, 7168U);
  EXPECT_EQ(faults, 5U);
  EXPECT_EQ(none, std::nullopt);
}

TEST(NumbersTest, HasNoneWhereALineMakesNoSense) {
  std::optional<std::uint64_t> huge, empty, word;
  ReadNumbers("huge: 18446744073709551615 kB\nempty:\nword: many kB",
              {{"huge", &huge}, {"empty", &empty}, {"word", &word}});
  EXPECT_EQ(huge, std::nullopt) << "does not fit in bytes";
  EXPECT_EQ(empty, std::nullopt);
  EXPECT_EQ(word, std::nullopt);
}

TEST(NumbersTest, TakesATextApart) {
  std::string_view rest = "a,,b";
  EXPECT_EQ(NextPart(rest, ','), "a");
  EXPECT_EQ(NextPart(rest, ','), "");
  EXPECT_EQ(NextPart(rest, ','), "b");
  EXPECT_EQ(NextPart(rest, ','), "");
  rest = "  one\t two ";
  EXPECT_EQ(NextWord(rest), "one");
  EXPECT_EQ(NextWord(rest), "two");
  EXPECT_EQ(NextWord(rest), "");
}

}  // namespace
}  // namespace heapledger::collector
