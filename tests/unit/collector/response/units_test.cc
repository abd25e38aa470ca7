// SPDX-License-Identifier: Apache-2.0
#include "collector/response/units.h"

#include <gtest/gtest.h>

namespace heapledger::collector::response {
namespace {

using namespace std::chrono_literals;

TEST(UnitsTest, ReadsWhatPeopleWrite) {
  EXPECT_EQ(ParseRatio("80%"), 0.8);
  EXPECT_EQ(ParseRatio("0.8"), 0.8);
  EXPECT_EQ(ParseRatio("100%"), 1.0);
  EXPECT_EQ(ParseBytes("512"), 512U);
  EXPECT_EQ(ParseBytes("64KiB"), 65536U);
  EXPECT_EQ(ParseBytes("1.5k"), 1536U);
  EXPECT_EQ(ParseBytes("2MB"), 2'000'000U);
  EXPECT_EQ(ParseSpan("1h30m"), Duration(90min));
  EXPECT_EQ(ParseSpan("200ms"), Duration(200ms));
  EXPECT_EQ(ParseValue(Unit::kSeconds, "30m"), 1800);
  EXPECT_EQ(ParseValue(Unit::kCount, "3"), 3);
  EXPECT_EQ(ParseValue(Unit::kGrade, "medium"), 2);
}

TEST(UnitsTest, RefusesTheRest) {
  for (const char* text : {"", "80", "0", "-1%", "101%", "80%%", "nan"}) {
    EXPECT_FALSE(ParseRatio(text)) << text;
  }
  for (const char* text : {"", "x", "-1", "1Q", "1KiBx", "1e300", "inf"}) {
    EXPECT_FALSE(ParseBytes(text)) << text;
  }
  for (const char* text : {"", "5", "-5s", "soon", "100000h"}) {
    EXPECT_FALSE(ParseSpan(text)) << text;
  }
  EXPECT_FALSE(ParseValue(Unit::kCount, "0"));
  EXPECT_FALSE(ParseValue(Unit::kGrade, "none"));
}

TEST(UnitsTest, WritesWhatPeopleRead) {
  EXPECT_EQ(UnitText(Unit::kRatio, 0.831), "83.1%");
  EXPECT_EQ(UnitText(Unit::kBytesPerSecond, 1536), "1.5KiB/s");
  EXPECT_EQ(UnitText(Unit::kGrade, 3), "critical");
  EXPECT_EQ(UnitText(Unit::kGrade, 99), "none");
  EXPECT_EQ(BytesText(1023), "1023B");
  EXPECT_EQ(SpanText(90s), "1m30s");
}

}  // namespace
}  // namespace heapledger::collector::response
