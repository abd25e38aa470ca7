// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/formats.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

TEST(FormatOfPathTest, TakesTheLongestExtension) {
  EXPECT_EQ(*FormatOfPath("/tmp/x.pb.gz"), ProfileFormat::kPprof);
  EXPECT_EQ(*FormatOfPath("x.speedscope.json"), ProfileFormat::kSpeedscope);
  EXPECT_EQ(*FormatOfPath("x.json"), ProfileFormat::kJson);
  EXPECT_EQ(*FormatOfPath("a.b.folded"), ProfileFormat::kFolded);
  EXPECT_EQ(*FormatOfPath("x.txt"), ProfileFormat::kText);
  EXPECT_EQ(*FormatOfPath("x.svg"), ProfileFormat::kSvg);
  EXPECT_EQ(*FormatOfPath("x.html"), ProfileFormat::kHtml);
  for (const char* path : {"", "x", "x.gz", "json", "x.html/y"}) {
    EXPECT_FALSE(FormatOfPath(path).ok()) << path;
  }
}

TEST(FormatOfWordTest, TakesTheExtensionsAlone) {
  EXPECT_EQ(*FormatOfWord("html"), ProfileFormat::kHtml);
  EXPECT_EQ(FormatOfWord("pdf").status().message(),
            "'pdf' is no profile format; use one of pb.gz, folded, "
            "speedscope.json, json, txt, svg, html");
}

}  // namespace
}  // namespace heapledger::collector
