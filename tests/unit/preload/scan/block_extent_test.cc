// SPDX-License-Identifier: Apache-2.0
#include "preload/scan/block_extent.h"

#include <gtest/gtest.h>

#include "tests/unit/preload/scan/fake_memory.h"

namespace heapledger::preload::scan {
namespace {

TEST(ChunkHeaderTest, FitsBlocksOfItsSizeOnly) {
  EXPECT_TRUE(ChunkHeader{0x21}.Fits(24));
  EXPECT_TRUE(ChunkHeader{0x21}.Fits(0));
  EXPECT_FALSE(ChunkHeader{0x21}.Fits(25));
  EXPECT_TRUE(ChunkHeader{0x31}.Fits(25));
  EXPECT_TRUE(ChunkHeader{0x41}.Fits(25));  // a rest too small to stand alone
  EXPECT_FALSE(ChunkHeader{0x61}.Fits(25));
  EXPECT_FALSE(ChunkHeader{0x29}.Fits(24));  // no multiple of 16
  EXPECT_TRUE(ChunkHeader{0x101002}.Fits(1 << 20));
  EXPECT_FALSE(ChunkHeader{0x100002}.Fits(1 << 20));
}

class BlockExtentTest : public ::testing::Test {
 protected:
  BlockExtent Of(std::uint64_t address, std::uint64_t bytes) {
    heap_.Add(address, bytes);
    return ExtentOf(heap_.memory, Allocator::kGlibc, FakeHeap::Name(address),
                    bytes);
  }
  FakeHeap heap_;
};

TEST_F(BlockExtentTest, FindsABlockInEitherHalfOfItsGranule) {
  const BlockExtent early = Of(0x10040, 100);
  EXPECT_TRUE(early.exact);
  EXPECT_EQ(early.begin, 0x10040U);
  EXPECT_EQ(early.end, 0x10040U + 100);
  const BlockExtent late = Of(0x20050, 100);
  EXPECT_TRUE(late.exact);
  EXPECT_EQ(late.begin, 0x20050U);
}

TEST_F(BlockExtentTest, CountsABlockOfNoBytesAsOne) {
  const BlockExtent extent = Of(0x10050, 0);
  EXPECT_TRUE(extent.Contains(0x10050));
  EXPECT_FALSE(extent.Contains(0x10051));
}

TEST_F(BlockExtentTest, TakesBothHalvesWhereContentLooksLikeAHeader) {
  heap_.Point(0x10048, 0x71);  // in the block itself: fits 100 bytes
  const BlockExtent extent = Of(0x10040, 100);
  EXPECT_FALSE(extent.exact);
  EXPECT_TRUE(extent.Contains(0x10040));
  EXPECT_TRUE(extent.Contains(0x10050 + 99));
}

TEST_F(BlockExtentTest, TakesBothHalvesAtTheStartOfAPageToo) {
  heap_.Point(0x30008, 'S');  // the text "SHELLOPTS": fits as an mmapped chunk
  const BlockExtent extent = Of(0x30000, 10);
  EXPECT_TRUE(extent.Contains(0x30000));
}

TEST_F(BlockExtentTest, DoesNotAskThePageBeforeAboutPagesOfItsOwn) {
  heap_.memory.words[0x2fff8] = 0x4011;  // fits, and is none
  heap_.memory.words[0x30008] = 0x5002;
  const BlockExtent extent =
      ExtentOf(heap_.memory, Allocator::kGlibc, 0x30000, 0x4000);
  EXPECT_TRUE(extent.exact);
  EXPECT_EQ(extent.begin, 0x30010U);
}

TEST_F(BlockExtentTest, TakesBothHalvesOverAnotherAllocator) {
  const BlockExtent extent =
      ExtentOf(heap_.memory, Allocator::kOther, 0x10040, 32);
  EXPECT_FALSE(extent.exact);
  EXPECT_EQ(extent.begin, 0x10040U);
  EXPECT_EQ(extent.end, 0x10050U + 32);
}

}  // namespace
}  // namespace heapledger::preload::scan
