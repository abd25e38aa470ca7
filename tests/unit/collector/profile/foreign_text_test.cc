// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/foreign_text.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

std::string Json(std::string_view text) {
  std::string out;
  AppendJsonString(text, out);
  return out;
}

TEST(OneLineTest, KeepsTextAndReplacesWhatBreaksALine) {
  EXPECT_EQ(OneLine("größe(int) 漢 \xf0\x9f\x98\x80"),
            "größe(int) 漢 \xf0\x9f\x98\x80");
  EXPECT_EQ(OneLine("a\nb\x1b[1m\x7f"), "a\ufffdb\ufffd[1m\ufffd");
  EXPECT_EQ(OneLine("a\u0085b\u2028c"), "a\ufffdb\ufffdc");
}

TEST(OneLineTest, ReplacesEachByteThatIsNoUtf8) {
  // Alone, overlong, surrogate, beyond the last, cut off.
  EXPECT_EQ(OneLine("\xff"), "\ufffd");
  EXPECT_EQ(OneLine("\xc0\xaf"), "\ufffd\ufffd");
  EXPECT_EQ(OneLine("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(OneLine("\xf4\x90\x80\x80"), "\ufffd\ufffd\ufffd\ufffd");
  EXPECT_EQ(OneLine("x\xe6\xbc"), "x\ufffd\ufffd");
}

TEST(BeginningTest, EndsWithACharacter) {
  EXPECT_EQ(Beginning("abc", 3), "abc");
  EXPECT_EQ(Beginning("abc", 2), "ab");
  EXPECT_EQ(Beginning("a漢b", 3), "a");
  EXPECT_EQ(Beginning("a漢b", 4), "a漢");
  EXPECT_EQ(Beginning("\x80\x80\x80", 2), "");
}

TEST(EscapeMarkupTest, LeavesNothingThatMarkupReads) {
  EXPECT_EQ(EscapeMarkup("<a href=\"x\" b='y'>&\n"),
            "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;\ufffd");
}

TEST(AppendJsonStringTest, EscapesQuotesControlsAndTheEndOfAScript) {
  EXPECT_EQ(Json("a\"b\\c\nd\te\x01"), R"("a\"b\\c\nd\te\u0001")");
  EXPECT_EQ(Json("</script><!--"), R"("\u003c/script>\u003c!--")");
  EXPECT_EQ(Json("\u2028\u2029\x7f"), R"("\u2028\u2029\u007f")");
  EXPECT_EQ(Json("\xfeü"), "\"\ufffdü\"");
}

}  // namespace
}  // namespace heapledger::collector
