// SPDX-License-Identifier: Apache-2.0
#include "preload/scan/heap_area.h"

#include <gtest/gtest.h>

#include "tests/unit/preload/scan/fake_memory.h"

namespace heapledger::preload::scan {
namespace {

constexpr std::uint64_t kArena = 0x7f0040000000;

class HeapAreaTest : public ::testing::Test {
 protected:
  HeapAreaTest() { areas_.Attach(room_, 16); }

  void ArenaHead(std::uint64_t at, std::uint64_t arena, std::uint64_t previous,
                 std::uint64_t used, std::uint64_t accessible) {
    const std::uint64_t words[] = {arena, previous, used, accessible};
    for (std::uint64_t i = 0; i < 4; ++i) {
      heap_.memory.words[at + 8 * i] = words[i];
    }
  }
  void AddMapping(std::uint64_t start, std::uint64_t end, Allocator allocator,
                  Mapping::Kind kind = Mapping::Kind::kPlain) {
    Mapping mapping;
    mapping.start = start;
    mapping.end = end;
    mapping.kind = kind;
    AddHeapAreas(heap_.memory, allocator, heap_.Index(), mapping, areas_);
    areas_.Seal();
  }

  FakeHeap heap_;
  Range room_[16];
  RangeList areas_;
};

TEST_F(HeapAreaTest, TakesAllOfTheBrkArea) {
  AddMapping(0x5000, 0x9000, Allocator::kGlibc, Mapping::Kind::kHeap);
  EXPECT_TRUE(areas_.Contains(0x5000));
  EXPECT_TRUE(areas_.Contains(0x8fff));
}

TEST_F(HeapAreaTest, TakesWhatAnArenaUsesAndNoMore) {
  ArenaHead(kArena, kArena + 0x30, 0, 0x21000, 0x21000);
  // A mapping of the program's that the kernel shows as one with the arena's.
  AddMapping(kArena - 0x10000, kArena + 0x30000, Allocator::kGlibc);
  EXPECT_FALSE(areas_.Contains(kArena - 1));
  EXPECT_TRUE(areas_.Contains(kArena));
  EXPECT_TRUE(areas_.Contains(kArena + 0x20fff));
  EXPECT_FALSE(areas_.Contains(kArena + 0x21000));
}

TEST_F(HeapAreaTest, KnowsAnArenasLaterAreas) {
  ArenaHead(kArena, 0x7f0000000030, 0x7f003c000000, 0x1000, 0x4000);
  AddMapping(kArena, kArena + 0x4000, Allocator::kGlibc);
  EXPECT_TRUE(areas_.Contains(kArena));
}

TEST_F(HeapAreaTest, TakesNoOtherMappingForAnArena) {
  ArenaHead(kArena, 0, 0, 0x1000, 0x1000);
  AddMapping(kArena, kArena + 0x4000, Allocator::kGlibc);
  ArenaHead(kArena, kArena + 0x30, 0, 0x1001, 0x2000);
  AddMapping(kArena, kArena + 0x4000, Allocator::kGlibc);
  ArenaHead(kArena, kArena + 0x30, 5, 0x1000, 0x2000);
  AddMapping(kArena, kArena + 0x4000, Allocator::kGlibc);
  EXPECT_EQ(areas_.size(), 0U);
}

TEST_F(HeapAreaTest, TakesWindowsWithBlocksOverAnotherAllocator) {
  heap_.Add(0x7f0000240040, 64);
  AddMapping(0x7f0000100000, 0x7f0000a00000, Allocator::kOther);
  EXPECT_FALSE(areas_.Contains(0x7f00001fffff));
  EXPECT_TRUE(areas_.Contains(0x7f0000200000));
  EXPECT_TRUE(areas_.Contains(0x7f00003fffff));
  EXPECT_FALSE(areas_.Contains(0x7f0000400000));
}

TEST_F(HeapAreaTest, TakesThePagesOfALargeBlockThatHasItsOwn) {
  heap_.memory.words[0x7f0000000008] = 0x101002;
  AddLargeBlock(heap_.memory, Allocator::kGlibc, 0x7f0000000000, 1 << 20,
                areas_);
  areas_.Seal();
  EXPECT_TRUE(areas_.Contains(0x7f0000000000));
  EXPECT_TRUE(areas_.Contains(0x7f0000100fff));
  EXPECT_FALSE(areas_.Contains(0x7f0000101000));
}

TEST_F(HeapAreaTest, LeavesALargeBlockOfAnArenaToTheArena) {
  heap_.Add(0x7f0000000010, 8000);
  AddLargeBlock(heap_.memory, Allocator::kGlibc, 0x7f0000000000, 8000, areas_);
  EXPECT_EQ(areas_.size(), 0U);
}

}  // namespace
}  // namespace heapledger::preload::scan
