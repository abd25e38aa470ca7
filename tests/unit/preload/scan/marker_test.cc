// SPDX-License-Identifier: Apache-2.0
#include "preload/scan/marker.h"

#include <gtest/gtest.h>

#include "tests/unit/preload/scan/fake_memory.h"

namespace heapledger::preload::scan {
namespace {

constexpr std::uint64_t kA = 0x7f0000001010;
constexpr std::uint64_t kB = 0x7f0000002040;
constexpr std::uint64_t kC = 0x7f0000003050;

class MarkerTest : public ::testing::Test {
 protected:
  // After all blocks were added.
  void Open() { heap_.Index(); }
  bool Reached(std::uint64_t address) {
    return heap_.index.IsMarked(FakeHeap::Name(address));
  }

  FakeHeap heap_;
  std::uint64_t list_[64];
  Marker<FakeMemory> marker_{heap_.memory, Allocator::kGlibc, heap_.index,
                             list_};
};

TEST_F(MarkerTest, TakesAnyAddressInsideABlockForAPointer) {
  heap_.Add(kA, 100);
  Open();
  const testing::NoAllocGuard guard;
  const std::uint64_t name = FakeHeap::Name(kA);
  EXPECT_EQ(marker_.BlockOf(kA), name);
  EXPECT_EQ(marker_.BlockOf(kA + 50), name);
  EXPECT_EQ(marker_.BlockOf(kA + 99), name);
  EXPECT_EQ(marker_.BlockOf(kA + 100), 0U);
  EXPECT_EQ(marker_.BlockOf(kA - 1), 0U);
  EXPECT_EQ(marker_.BlockOf(0), 0U);
  EXPECT_EQ(marker_.BlockOf(~0ULL), 0U);
}

TEST_F(MarkerTest, LooksBehindTagsInTheUpperBits) {
  heap_.Add(kA, 100);
  Open();
  EXPECT_EQ(marker_.BlockOf(kA | (0xfffcULL << 48)), FakeHeap::Name(kA));
  EXPECT_EQ(marker_.BlockOf(kA | 1ULL << 63), FakeHeap::Name(kA));
  EXPECT_EQ(marker_.BlockOf(kA | 1ULL << 47), 0U);  // the kernel's half
}

TEST_F(MarkerTest, TellsTheEndOfOneBlockFromTheStartOfTheNext) {
  // The first block's last bytes share a granule with the second's start.
  heap_.Add(0x10000, 40);
  heap_.Add(0x10030, 24);
  Open();
  EXPECT_EQ(marker_.BlockOf(0x10027), 0x10000U);
  EXPECT_EQ(marker_.BlockOf(0x10028), 0U);
  EXPECT_EQ(marker_.BlockOf(0x10030), 0x10020U);
}

TEST_F(MarkerTest, KnowsTheAddressOfAnEmptyArray) {
  heap_.Add(kA, 8);
  heap_.Add(kB, 8);
  heap_.Point(kB, 1);
  Open();
  EXPECT_EQ(marker_.BlockOf(kA + 8), FakeHeap::Name(kA));
  EXPECT_EQ(marker_.BlockOf(kB + 8), 0U);
}

TEST_F(MarkerTest, TellsExactStarts) {
  heap_.Add(kA, 100);
  Open();
  EXPECT_EQ(marker_.BlockAt(kA), FakeHeap::Name(kA));
  EXPECT_EQ(marker_.BlockAt(kA + 8), 0U);
  EXPECT_EQ(marker_.BlockAt(kA + 16), 0U);
  EXPECT_EQ(marker_.BlockAt(kA - 16), 0U);
}

TEST_F(MarkerTest, FollowsPointersThroughBlocks) {
  heap_.Add(kA, 64);
  heap_.Add(kB, 64);
  heap_.Add(kC, 64);
  heap_.Add(kC + 0x1000, 64);
  heap_.Point(kA + 56, kB + 8);
  heap_.Point(kB, kC);
  heap_.Point(kC, kA);  // a circle
  Open();
  {
    const testing::NoAllocGuard guard;
    marker_.Reach(marker_.BlockOf(kA));
    EXPECT_TRUE(marker_.Drain());
  }
  EXPECT_TRUE(Reached(kA));
  EXPECT_TRUE(Reached(kB));
  EXPECT_TRUE(Reached(kC));
  EXPECT_FALSE(Reached(kC + 0x1000));
}

TEST_F(MarkerTest, DoesNotReadBeyondWhatWasAskedFor) {
  heap_.Add(kA, 20);
  heap_.Add(kB, 24);
  heap_.Point(kA + 16, kB);  // half of it is beyond
  Open();
  marker_.Reach(marker_.BlockOf(kA));
  EXPECT_TRUE(marker_.Drain());
  EXPECT_FALSE(Reached(kB));
}

TEST_F(MarkerTest, GivesUpWhenTheTimeIsUp) {
  heap_.Add(kA, 24);
  Open();
  heap_.memory.looks_left = 1;
  marker_.Reach(marker_.BlockOf(kA));
  EXPECT_FALSE(marker_.Drain());
}

}  // namespace
}  // namespace heapledger::preload::scan
