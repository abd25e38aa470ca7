// SPDX-License-Identifier: Apache-2.0
#include "preload/scan/block_index.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

#include "tests/unit/preload/scan/fake_memory.h"

namespace heapledger::preload::scan {
namespace {

class BlockIndexTest : public ::testing::Test {
 protected:
  FakeHeap heap_;
};

TEST_F(BlockIndexTest, KnowsNothingOfAnEmptyMap) {
  BlockIndex& index = heap_.Index();
  EXPECT_EQ(index.blocks(), 0U);
  EXPECT_EQ(index.Before(0x1000), 0U);
  EXPECT_EQ(index.Before(~0ULL), 0U);
}

TEST_F(BlockIndexTest, FindsTheBlockBeforeAnAddressHoweverFar) {
  heap_.Add(0x7f0000000040, 24);
  heap_.Add(0x7f0000100000, 15 << 20);
  BlockIndex& index = heap_.Index();
  EXPECT_EQ(index.Before(0x7f0000000040), 0x7f0000000040U);
  EXPECT_EQ(index.Before(0x7f00000fffff), 0x7f0000000040U);
  EXPECT_EQ(index.Before(0x7f0000100000), 0x7f0000100000U);
  EXPECT_EQ(index.Before(0x7f0000f00000), 0x7f0000100000U);
  EXPECT_EQ(index.Before(0x7f000000003f - 32), 0U);
  EXPECT_EQ(index.Before(0x7f1000000000), 0U);
}

TEST_F(BlockIndexTest, CarriesABlockThroughTheLeavesThatItCovers) {
  const std::uint64_t big = 0x7f0000ff0000;
  heap_.Add(big, 100ULL << 20);
  heap_.Add(big + (101ULL << 20), 24);
  BlockIndex& index = heap_.Index();
  EXPECT_EQ(index.Before(big + (50ULL << 20)), big);
  EXPECT_EQ(index.Before(big + (100ULL << 20) - 1), big);
}

TEST_F(BlockIndexTest, MarksEachBlockOnce) {
  heap_.Add(0x10040, 24);
  heap_.Add(0x10080, 24);
  BlockIndex& index = heap_.Index();
  EXPECT_FALSE(index.IsMarked(0x10040));
  EXPECT_TRUE(index.Mark(0x10040));
  EXPECT_FALSE(index.Mark(0x10040));
  EXPECT_TRUE(index.IsMarked(0x10040));
  EXPECT_FALSE(index.IsMarked(0x10080));
  index.PointTo(0x10080);
  EXPECT_TRUE(index.IsPointedTo(0x10080));
  EXPECT_FALSE(index.IsMarked(0x10080));
}

TEST_F(BlockIndexTest, VisitsBlocksInTheOrderOfAddresses) {
  for (const std::uint64_t at :
       {0x7f0000000040UL, 0x10040UL, 0x7e0000000040UL}) {
    heap_.Add(at, 24);
  }
  BlockIndex& index = heap_.Index();
  index.Mark(0x7e0000000040);
  std::vector<std::uint64_t> all, unmarked;
  index.ForEach([&](std::uint64_t block) {
    all.push_back(block);
    return true;
  });
  index.ForEachUnmarked([&](std::uint64_t block) {
    unmarked.push_back(block);
    return true;
  });
  EXPECT_EQ(all, (std::vector<std::uint64_t>{0x10040, 0x7e0000000040,
                                             0x7f0000000040}));
  EXPECT_EQ(unmarked, (std::vector<std::uint64_t>{0x10040, 0x7f0000000040}));
}

TEST_F(BlockIndexTest, KnowsTheWindowsThatHoldBlocks) {
  heap_.Add(0x7f0000240040, 24);
  BlockIndex& index = heap_.Index();
  EXPECT_TRUE(index.HasBlockInWindow(0x7f0000200000));
  EXPECT_TRUE(index.HasBlockInWindow(0x7f00003fffff));
  EXPECT_FALSE(index.HasBlockInWindow(0x7f0000400000));
  EXPECT_FALSE(index.HasBlockInWindow(0x7f0000000000));
}

TEST_F(BlockIndexTest, SaysThatMemoryWasRefused) {
  heap_.Add(0x10040, 24);
  heap_.env.refuse_memory = true;
  EXPECT_FALSE(heap_.index.Build(heap_.env, heap_.map));
}

TEST_F(BlockIndexTest, AgreesWithAModelOverRandomBlocks) {
  std::mt19937_64 random(20261123);
  std::set<std::uint64_t> blocks;
  for (int i = 0; i < 3000; ++i) {
    // Dense and sparse parts over four leaves.
    const std::uint64_t spread = i % 2 == 0 ? 1 << 17 : 1 << 26;
    const std::uint64_t at = 0x7f0000000000 + random() % spread / 64 * 64;
    if (blocks.insert(at).second) heap_.Add(at, 24);
  }
  BlockIndex& index = heap_.Index();
  EXPECT_EQ(index.blocks(), blocks.size());
  const std::uint64_t leaf = 1ULL << ObjectMap::kLeafShift;
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t spread = i % 2 == 0 ? 1 << 17 : 1 << 26;
    const std::uint64_t at = 0x7f0000000000 + random() % spread;
    if (at < index.low() || at >= index.high()) continue;
    auto found = blocks.upper_bound(at);
    const std::uint64_t expected =
        found == blocks.begin() ? 0 : *std::prev(found);
    const std::uint64_t got = index.Before(at);
    // A leaf without a block before the address tells of none, as none of
    // these reaches into it.
    if (got == 0) {
      EXPECT_LT(expected, at / leaf * leaf);
    } else {
      EXPECT_EQ(got, expected);
    }
  }
}

}  // namespace
}  // namespace heapledger::preload::scan
