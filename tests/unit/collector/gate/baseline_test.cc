// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/baseline.h"

#include <gtest/gtest.h>

#include <string>

namespace heapledger::collector::gate {
namespace {

constexpr const char* kGood =
    "# heapledger gate baseline 1\n"
    "# callsite, bytes, objects, function, place\n"
    "0000000000000abc\t4096\t4\tparse(int, char)\thttp.c:42\n"
    "ffffffffffffffff\t0\t1\tmain\tprog\n";

std::string Refusal(const std::string& text) {
  const auto parsed = ParseBaseline(text, "b.txt");
  EXPECT_FALSE(parsed.ok()) << text;
  return parsed.ok() ? "" : std::string(parsed.status().message());
}

TEST(Baseline, ReadsWhatItWrote) {
  const auto parsed = ParseBaseline(kGood, "b.txt");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_EQ(parsed->size(), 2U);
  const KnownLeak& leak = parsed->at(Fingerprint(0xabc));
  EXPECT_EQ(leak.amount, (Amount{4096, 4}));
  EXPECT_EQ(leak.function, "parse(int, char)");
  EXPECT_EQ(leak.place, "http.c:42");
  EXPECT_EQ(BaselineText(*parsed), kGood);
}

TEST(Baseline, KeepsForeignNamesOnTheirLine) {
  Baseline baseline;
  baseline[Fingerprint(1)] = {{1, 1}, "a\tb\nc\xff", ""};
  const auto parsed = ParseBaseline(BaselineText(baseline), "b.txt");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->size(), 1U);
  EXPECT_EQ(BaselineText(*parsed), BaselineText(baseline));
}

TEST(Baseline, ReadsAFileWithoutLeaksAndWithForeignLineEnds) {
  const auto none = ParseBaseline("# heapledger gate baseline 1\n", "b.txt");
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->empty());
  const auto foreign = ParseBaseline(
      "# heapledger gate baseline 1\r\n\r\n"
      "0000000000000001\t1\t1\tf\tp\r\n",
      "b.txt");
  ASSERT_TRUE(foreign.ok()) << foreign.status();
  EXPECT_EQ(foreign->at(Fingerprint(1)).place, "p");
}

TEST(Baseline, NamesTheLineThatMakesNoSense) {
  EXPECT_NE(Refusal("").find("b.txt is empty"), std::string::npos);
  EXPECT_NE(Refusal("leak:x\n").find("does not begin with"), std::string::npos);
  const std::string first = "# heapledger gate baseline 1\n";
  for (const char* line :
       {"0000000000000001\t1\t1\tf", "0000000000000001\t1\t1\tf\tp\tmore",
        "1\t1\t1\tf\tp", "000000000000000g\t1\t1\tf\tp",
        "0000000000000001\t-1\t1\tf\tp", "0000000000000001\t1\t\tf\tp",
        "0000000000000001\t1\t99999999999999999999\tf\tp"}) {
    EXPECT_NE(Refusal(first + line).find("b.txt:2: "), std::string::npos)
        << line;
  }
  const std::string twice = "0000000000000001\t1\t1\tf\tp\n";
  EXPECT_NE(Refusal(first + twice + twice).find("b.txt:3: its callsite"),
            std::string::npos);
}

}  // namespace
}  // namespace heapledger::collector::gate
