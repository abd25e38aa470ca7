// SPDX-License-Identifier: Apache-2.0
#include "preload/runtime/malloc_stats.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/no_alloc_guard.h"

namespace heapledger::preload {
namespace {

constexpr char kText[] =
    "Small block threshold = 512, in 32 size classes.\n"
    "\n"
    "class   size   num pools   blocks in use  avail blocks\n"
    "-----   ----   ---------   -------------  ------------\n"
    "    0     16           1              22           999\n"
    "    3     64          16            4002            78\n"
    "   31    512           1              11            20\n"
    "\n"
    "# arenas allocated total           =                    2\n"
    "# arenas allocated current         =                    2\n"
    "2 arenas * 1048576 bytes/arena     =            2,097,152\n"
    "\n"
    "# bytes in allocated blocks        =              829,568\n"
    "# bytes in available blocks        =              341,712\n"
    "Total                              =            2,097,152\n"
    "            8 free PyDictObjects * 48 bytes each =               384\n";

bool Parse(const std::string& text, MallocStats* stats) {
  const testing::NoAllocGuard guard;
  return ParseMallocStats(text.data(), text.size(), stats);
}

std::string Replaced(const std::string& what, const std::string& with) {
  std::string text = kText;
  text.replace(text.find(what), what.size(), with);
  return text;
}

TEST(MallocStatsTest, ReadsArenasBytesInUseAndBlocksBySize) {
  MallocStats stats;
  ASSERT_TRUE(Parse(kText, &stats));
  EXPECT_EQ(stats.arenas, 2U);
  EXPECT_EQ(stats.arena_bytes, 2'097'152U);
  EXPECT_EQ(stats.block_bytes, 829'568U);
  EXPECT_EQ(stats.blocks[0], 22U);
  EXPECT_EQ(stats.blocks[1], 0U);
  EXPECT_EQ(stats.blocks[3], 4002U);
  EXPECT_EQ(stats.blocks[31], 11U);
}

TEST(MallocStatsTest, RefusesATextWithoutArenas) {
  MallocStats stats;
  // What PYTHONMALLOC=malloc leaves of it.
  EXPECT_FALSE(Parse("            8 free PyDictObjects * 48 bytes each = 384\n",
                     &stats));
  EXPECT_FALSE(Parse("", &stats));
  EXPECT_FALSE(Parse(Replaced("2 arenas *", "2 arsenals *"), &stats));
  EXPECT_FALSE(Parse(Replaced("in allocated", "in deallocated"), &stats));
}

TEST(MallocStatsTest, RefusesMoreInUseThanThereIs) {
  MallocStats stats;
  EXPECT_FALSE(Parse(Replaced("829,568", "2,097,153"), &stats));
}

TEST(MallocStatsTest, TakesAClassOfAnotherSizeForNone) {
  MallocStats stats;
  ASSERT_TRUE(Parse(Replaced("    3     64 ", "    3     72 "), &stats));
  EXPECT_EQ(stats.blocks[3], 0U);
}

TEST(MallocStatsTest, LeavesNumbersOutThatAreTooLarge) {
  MallocStats stats;
  ASSERT_TRUE(Parse(Replaced("4002", "999999999999999999999"), &stats));
  EXPECT_EQ(stats.blocks[3], 0U);
}

TEST(MallocStatsTest, ReadsNoFurtherThanTheText) {
  for (std::size_t size = 0; size < sizeof kText; ++size) {
    MallocStats stats;
    const std::string text(kText, size);
    const bool whole = Parse(text, &stats);
    EXPECT_LE(stats.block_bytes, whole ? stats.arena_bytes : ~0ULL);
  }
}

}  // namespace
}  // namespace heapledger::preload
