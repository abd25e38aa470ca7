// SPDX-License-Identifier: Apache-2.0
#include "collector/monitoring/yaml.h"

#include <gtest/gtest.h>

namespace heapledger::collector::monitoring {
namespace {

TEST(YamlTest, StringsAreQuotedSoThatTheyStayStrings) {
  EXPECT_EQ(YamlString("yes"), "\"yes\"");
  EXPECT_EQ(YamlString("a \"b\" \\ c\n"), "\"a \\\"b\\\" \\\\ c\\n\"");
  EXPECT_EQ(YamlString("{{ $value }}: #1"), "\"{{ $value }}: #1\"");
}

TEST(YamlTest, BrokenUtf8IsReplaced) {
  EXPECT_EQ(YamlString("a\xff"), "\"a\xef\xbf\xbd\"");
}

TEST(YamlTest, LinesBecomeABlockUnderTheirKey) {
  EXPECT_EQ(YamlValue("a", 4), " \"a\"\n");
  EXPECT_EQ(YamlValue("a\n  b", 4), " |-\n      a\n        b\n");
}

TEST(YamlTest, EveryLineIsPrefixed) {
  EXPECT_EQ(Prefixed("a\nb", "# "), "# a\n# b\n");
  EXPECT_EQ(Prefixed("", "# "), "");
}

}  // namespace
}  // namespace heapledger::collector::monitoring
