// SPDX-License-Identifier: Apache-2.0
#include "collector/system/smaps.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <sstream>

#include "collector/system/read_file.h"
#include "tests/support/fake_files.h"

namespace heapledger::collector {
namespace {

// A mapping of smaps with `anonymous` of `resident` KiB.
std::string Mapping(const std::string& header, int resident, int anonymous,
                    const std::string& flags) {
  std::ostringstream text;
  text << header << "\nSize: 1 kB\nRss: " << resident
       << " kB\nPss: " << resident
       << " kB\nShared_Dirty: 0 kB\nPrivate_Clean: " << resident - anonymous
       << " kB\nPrivate_Dirty: " << anonymous << " kB\nAnonymous: " << anonymous
       << " kB\nVmFlags: " << flags << " \n";
  return text.str();
}

PageWalk Read(const std::string& text) {
  SmapsReader reader("42-1.ledger");
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) reader.Line(line);
  return reader.Finish();
}

TEST(SmapsTest, TellsTheAreasOfAProcessUnderTheShimApart) {
  const PageWalk walk = Read(
      Mapping("00400000-00500000 r-xp 00000000 08:01 12  /usr/bin/x y", 100, 0,
              "rd ex") +
      Mapping("00600000-00601000 rw-p 00000000 08:01 12  /usr/bin/x y", 4, 3,
              "rd wr") +
      Mapping("01000000-01100000 rw-p 00000000 00:00 0   [heap]", 900, 900,
              "rd wr ac") +
      // An arena, its reserve, and a thread's stack behind a guard page.
      Mapping("7f0000000000-7f0000021000 rw-p 00000000 00:00 0 ", 60, 60,
              "rd wr nr") +
      Mapping("7f0000021000-7f0004000000 ---p 00000000 00:00 0 ", 0, 0, "nr") +
      Mapping("7f0010000000-7f0010001000 ---p 00000000 00:00 0 ", 0, 0, "mr") +
      Mapping("7f0010001000-7f0010801000 rw-p 00000000 00:00 0 ", 16, 16,
              "rd wr ac") +
      Mapping("7f0010801000-7f0010a02000 rw-p 00000000 00:00 0 ", 5, 5,
              "rd wr nr nh") +
      Mapping("7f0020000000-7f0020100000 rw-p 00000000 00:00 0 ", 70, 70,
              "rd wr ac") +
      Mapping("7f0030000000-7f0033000000 rw-s 00000000 00:01 9 "
              "/dev/shm/heapledger-0/42-1.ledger",
              188, 0, "rd wr sh") +
      Mapping("7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0  [stack]", 20,
              20, "rd wr gd"));
  EXPECT_EQ(walk.areas, (MappedAreas{.heap = 960 << 10,
                                     .heap_mapped = (1 << 20) + 0x21000,
                                     .stacks = 36 << 10,
                                     .shim = 5 << 10,
                                     .ledger_file = 188 << 10,
                                     .rest = 73 << 10}));
  EXPECT_EQ(
      walk.totals,
      (PageTotals{.pss = 1363 << 10, .uss = 1363 << 10, .dirty = 1074 << 10}));
}

TEST(SmapsTest, TakesNoFileForAField) {
  const PageWalk walk = Read(Mapping(
      "7f0000000000-7f0000001000 rw-p 00000000 08:01 7  /tmp/Anonymous: 99 kB",
      4, 0, "rd"));
  EXPECT_EQ(walk.areas, MappedAreas());
  EXPECT_EQ(walk.totals.pss, 4U << 10);
}

TEST(SmapsTest, LeavesOutWhatMakesNoSense) {
  for (const char* text :
       {"", "\n\n", "Rss: 5 kB\n", "zz\n", "1-", "5-4 rw-p\nRss: 4 kB\n",
        "1-2\nRss: -4 kB\n", "1-2 rw-p 0 0 0\nRss: 99999999999999999999 kB\n",
        "1-2 rw-p 0 0 0\nAnonymous: 18446744073709551615 kB\n"}) {
    const PageWalk walk = Read(text);
    EXPECT_EQ(walk.areas, MappedAreas()) << text;
    EXPECT_EQ(walk.totals, PageTotals()) << text;
  }
}

TEST(SmapsTest, WalksItsOwnPages) {
  constexpr std::size_t kBytes = 8 << 20;
  void* const block = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memset(block, 1, kBytes);
  const auto walk = WalkSmaps("/proc/self", "", std::chrono::seconds(10));
  ASSERT_TRUE(walk.ok()) << walk.status();
  EXPECT_GE(walk->areas.rest, kBytes);
  EXPECT_GT(walk->areas.stacks, 0U);
  const auto text = ReadSmallFile("/proc/self/smaps_rollup");
  ASSERT_TRUE(text.ok());
  const auto rollup = ParseSmapsRollup(*text);
  ASSERT_TRUE(rollup);
  const auto near = [](std::uint64_t a, std::uint64_t b) {
    EXPECT_NEAR(static_cast<double>(a), static_cast<double>(b), 1 << 20);
  };
  near(walk->totals.pss, rollup->pss);
  near(walk->totals.uss, rollup->uss);
  near(walk->totals.dirty, rollup->dirty);
  ::munmap(block, kBytes);
}

TEST(SmapsTest, GivesUpAfterItsBudgetAndOnAnEndlessLine) {
  EXPECT_EQ(
      WalkSmaps("/proc/self", "", std::chrono::nanoseconds(0)).status().code(),
      absl::StatusCode::kDeadlineExceeded);
  testing::FakeFiles files;
  files.Write("smaps", std::string(1 << 20, '1'));
  EXPECT_EQ(
      WalkSmaps(files.root(), "", std::chrono::seconds(60)).status().code(),
      absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(
      WalkSmaps("/nonexistent", "", std::chrono::seconds(1)).status().code(),
      absl::StatusCode::kNotFound);
}

TEST(SmapsTest, HasNoTotalsOfAnEmptyRollup) {
  EXPECT_FALSE(ParseSmapsRollup(""));
}

}  // namespace
}  // namespace heapledger::collector
