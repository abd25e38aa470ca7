// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/output.h"

#include <gtest/gtest.h>

namespace heapledger::collector::cli {
namespace {

TEST(HumanBytesTest, ChangesUnitsWhereTheNumberGetsLong) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1024), "1.0 KiB");
  EXPECT_EQ(HumanBytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(HumanBytes(std::uint64_t{3} << 30), "3.0 GiB");
  EXPECT_EQ(HumanBytes(UINT64_MAX), "16.0 EiB");
}

TEST(HumanCountTest, GroupsByThousands) {
  EXPECT_EQ(HumanCount(0), "0");
  EXPECT_EQ(HumanCount(999), "999");
  EXPECT_EQ(HumanCount(1000), "1,000");
  EXPECT_EQ(HumanCount(1234567), "1,234,567");
}

TEST(HumanRateTest, CarriesItsSign) {
  EXPECT_EQ(HumanRate(0), "0 B/s");
  EXPECT_EQ(HumanRate(-2048), "-2.0 KiB/s");
  EXPECT_EQ(HumanRate(100), "+100 B/s");
}

TEST(HumanAgeTest, ShowsTwoUnitsAtMost) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  EXPECT_EQ(HumanAge(59 * kSecond), "59s");
  EXPECT_EQ(HumanAge(185 * kSecond), "3m05s");
  EXPECT_EQ(HumanAge(7800 * kSecond), "2h10m");
  EXPECT_EQ(HumanAge(443000 * kSecond), "5d03h");
}

TEST(ShortFunctionTest, DropsParametersAndTemplateArguments) {
  EXPECT_EQ(ShortFunction("main"), "main");
  EXPECT_EQ(ShortFunction("a::Keep(std::vector<int>&)"), "a::Keep");
  EXPECT_EQ(ShortFunction("void a::Fill<std::pair<int, long>, 3>(int) const"),
            "void a::Fill<…>");
  EXPECT_EQ(ShortFunction("libc.so.6+0x1234"), "libc.so.6+0x1234");
}

TEST(ShortFunctionTest, KeepsOperatorsAndAnonymousNamespaces) {
  EXPECT_EQ(ShortFunction("(anonymous namespace)::Run(int)"),
            "(anonymous namespace)::Run");
  EXPECT_EQ(ShortFunction("operator new[](unsigned long)"), "operator new[]");
  EXPECT_EQ(ShortFunction("A::operator()(int)"), "A::operator()");
  EXPECT_EQ(ShortFunction("A::operator<(A const&)"), "A::operator<");
}

TEST(ShortFunctionTest, CutsTheFrontOfALongName) {
  EXPECT_EQ(ShortFunction("aaaaaaaaaa::bbbb", 9), "…aa::bbbb");
}

TEST(ShortPathTest, KeepsTheLastTwoPartsOfALongPath) {
  EXPECT_EQ(ShortPath("/src/a.cc:12"), "/src/a.cc:12");
  EXPECT_EQ(ShortPath("/build/python3.11/../Objects/obmalloc.c:1459", 20),
            "…/Objects/obmalloc.c:1459");
  EXPECT_EQ(ShortPath("/averyveryverylongname.cc:1", 10),
            "/averyveryverylongname.cc:1");
}

TEST(PrintableTest, KeepsTextAndReplacesWhatDrivesATerminal) {
  EXPECT_EQ(Printable("operator new[]"), "operator new[]");
  EXPECT_EQ(Printable("größe→"), "größe→");
  EXPECT_EQ(Printable("a\x1b[31mb\n\x7f"), "a?[31mb??");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m"),
            "??31m")
      << "C1 control";
  EXPECT_EQ(Printable("\xff\xc3"), "??");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "???") << "surrogate";
  EXPECT_EQ(Printable("\xc0\xaf"), "??") << "overlong";
}

TEST(TableTest, AlignsByCharactersAndLeavesTheLastColumnFree) {
  Table table({{"N", Table::Align::kRight}, {"NAME"}, {"END"}});
  table.AddRow({"1", "ä", "x"});
  table.AddRow({"100", "bcde", "y"});
  EXPECT_EQ(table.ToString(),
            "  N  NAME  END\n"
            "  1  ä     x\n"
            "100  bcde  y\n");
}

}  // namespace
}  // namespace heapledger::collector::cli
