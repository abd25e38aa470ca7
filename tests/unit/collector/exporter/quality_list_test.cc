// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/quality_list.h"

#include <gtest/gtest.h>

#include <string>

namespace heapledger::collector {
namespace {

TEST(QualityListTest, ReadsItemsWithParametersAndWeights) {
  const auto items = ParseQualityList(
      "Text/Plain; Version=\"0.0.4\" ;q=0.5, */* ; q=0.25,, gzip");
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0].value, "text/plain");
  ASSERT_EQ(items[0].parameters.size(), 1U);
  EXPECT_EQ(items[0].parameters[0].first, "version");
  EXPECT_EQ(items[0].parameters[0].second, "0.0.4");
  EXPECT_EQ(items[0].weight, 500);
  EXPECT_EQ(items[1].value, "*/*");
  EXPECT_EQ(items[1].weight, 250);
  EXPECT_EQ(items[2].weight, 1000);
}

TEST(QualityListTest, TakesAWeightThatIsNoneForARefusal) {
  for (const char* weight :
       {"", "2", "1.001", "0.1234", "-1", "nan", "0x1", "1e0", "\"1", ".5"}) {
    const auto items = ParseQualityList(std::string("a;q=") + weight);
    ASSERT_EQ(items.size(), 1U) << weight;
    EXPECT_EQ(items[0].weight, 0) << weight;
  }
  EXPECT_EQ(ParseQualityList("a;q=1.000").at(0).weight, 1000);
  EXPECT_EQ(ParseQualityList("a;q=0.").at(0).weight, 0);
  EXPECT_EQ(ParseQualityList("a;Q=0.007").at(0).weight, 7);
}

TEST(QualityListTest, LetsQuotesHoldCommas) {
  const auto items = ParseQualityList(R"(a;t="x,y\";z";q=0.1, b)");
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].weight, 100);
  EXPECT_EQ(items[1].value, "b");
}

TEST(QualityListTest, ReadsSoManyItemsAndNoMore) {
  std::string many;
  for (int i = 0; i < 10000; ++i) many += "a,";
  EXPECT_EQ(ParseQualityList(many).size(), 64U);
}

}  // namespace
}  // namespace heapledger::collector
