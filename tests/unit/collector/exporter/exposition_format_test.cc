// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/exposition_format.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace heapledger::collector {
namespace {

constexpr auto kText = ExpositionFormat::kText;
constexpr auto kOpenMetrics = ExpositionFormat::kOpenMetrics;

TEST(ExpositionFormatTest, GivesScrapersWhatTheyPrefer) {
  // Prometheus 2.42, 2.54 and 3.0.
  EXPECT_EQ(ChooseFormat("application/openmetrics-text;version=1.0.0,"
                         "application/openmetrics-text;version=0.0.1;q=0.75,"
                         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            kOpenMetrics);
  EXPECT_EQ(
      ChooseFormat("application/openmetrics-text;version=1.0.0;escaping=values;"
                   "q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
                   "text/plain;version=0.0.4;q=0.4,*/*;q=0.3"),
      kOpenMetrics);
  EXPECT_EQ(ChooseFormat("text/plain;version=0.0.4;q=0.6,"
                         "application/openmetrics-text;version=1.0.0;q=0.4"),
            kText);
  EXPECT_EQ(ChooseFormat("application/openmetrics-text"), kOpenMetrics);
}

TEST(ExpositionFormatTest, GivesEverybodyElseTheTextFormat) {
  for (const char* accept :
       {"", "*/*", "application/*", "text/html", "text/plain", "garbage;;,",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.5",  // 0.5 < 1 below
        "application/openmetrics-textual", "image/png;q=1"}) {
    const bool half = std::string_view(accept).ends_with("q=0.5");
    EXPECT_EQ(ChooseFormat(std::string(accept) + (half ? ", */*" : "")), kText)
        << accept;
  }
}

TEST(ExpositionFormatTest, LetsTheMoreExactNameDecide) {
  EXPECT_EQ(ChooseFormat("*/*, text/plain;q=0.1, "
                         "application/openmetrics-text;q=0.2"),
            kOpenMetrics);
  EXPECT_EQ(ChooseFormat("*/*;q=1, application/openmetrics-text;q=0.9"), kText);
  EXPECT_EQ(ChooseFormat("text/*;q=0.5, application/openmetrics-text;q=0.4"),
            kText);
}

TEST(ExpositionFormatTest, TakesTheFirstOfTwoThatWeighTheSame) {
  EXPECT_EQ(ChooseFormat("text/plain, application/openmetrics-text"), kText);
  EXPECT_EQ(ChooseFormat("application/openmetrics-text, text/plain"),
            kOpenMetrics);
  EXPECT_EQ(ChooseFormat("*/*, application/openmetrics-text"), kOpenMetrics);
}

TEST(ExpositionFormatTest, NamesTheVersionInTheContentType) {
  EXPECT_EQ(ContentTypeOf(kText), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(ContentTypeOf(kOpenMetrics),
            "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

}  // namespace
}  // namespace heapledger::collector
