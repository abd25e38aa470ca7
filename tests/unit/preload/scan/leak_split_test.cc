// SPDX-License-Identifier: Apache-2.0
#include "preload/scan/leak_split.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/preload/scan/fake_memory.h"

namespace heapledger::preload::scan {
namespace {

class LeakSplitTest : public ::testing::Test {
 protected:
  // Block number i.
  static std::uint64_t At(std::uint64_t i) { return 0x7f0000000010 + i * 128; }
  void Add(std::uint64_t blocks) {
    for (std::uint64_t i = 0; i < blocks; ++i) heap_.Add(At(i), 64);
  }
  void Point(std::uint64_t from, std::uint64_t to, std::uint64_t word = 0) {
    heap_.Point(At(from) + word * 8, At(to));
  }
  // Number of each leaked block -> whether it is direct.
  std::map<std::uint64_t, bool> Split(std::vector<std::uint64_t> roots = {}) {
    BlockIndex& index = heap_.Index();
    Marker<FakeMemory> marker(heap_.memory, Allocator::kGlibc, index, list_);
    for (const std::uint64_t root : roots) {
      marker.Reach(marker.BlockOf(At(root)));
    }
    EXPECT_TRUE(marker.Drain());
    const std::uint64_t count = CollectLeaks(index, leaks_, 64);
    {
      const testing::NoAllocGuard guard;
      EXPECT_TRUE(SplitLeaks(marker, index, leaks_, count, heap_.memory));
    }
    std::map<std::uint64_t, bool> split;
    for (std::uint64_t i = 0; i < count; ++i) {
      EXPECT_EQ(leaks_[i].slot_word, index.SlotWordOf(leaks_[i].block));
      split[(leaks_[i].block - FakeHeap::Name(At(0))) / 128] =
          leaks_[i].direct != 0;
    }
    return split;
  }

  FakeHeap heap_;
  std::uint64_t list_[64];
  LeakedBlock leaks_[64];
};

using Expected = std::map<std::uint64_t, bool>;

TEST_F(LeakSplitTest, CallsWhatNothingPointsToDirect) {
  Add(3);
  EXPECT_EQ(Split(), (Expected{{0, true}, {1, true}, {2, true}}));
}

TEST_F(LeakSplitTest, LeavesOutWhatIsReached) {
  Add(3);
  Point(0, 1);
  EXPECT_EQ(Split({0}), (Expected{{2, true}}));
}

TEST_F(LeakSplitTest, CallsWhatALeakHoldsIndirectWhateverTheOrder) {
  Add(4);
  Point(3, 1);
  Point(1, 0);
  Point(1, 2, 1);
  EXPECT_EQ(Split(), (Expected{{0, false}, {1, false}, {2, false}, {3, true}}));
}

TEST_F(LeakSplitTest, GivesACircleOneHead) {
  Add(4);
  Point(1, 2);
  Point(2, 3);
  Point(3, 1);
  EXPECT_EQ(Split({0}), (Expected{{1, true}, {2, false}, {3, false}}));
}

TEST_F(LeakSplitTest, GivesACircleNoHeadThatALeakPointsTo) {
  Add(3);
  Point(0, 1);
  Point(1, 0);
  Point(2, 0);
  EXPECT_EQ(Split(), (Expected{{0, false}, {1, false}, {2, true}}));
}

TEST_F(LeakSplitTest, IgnoresPointersOfABlockToItself) {
  Add(1);
  Point(0, 0);
  EXPECT_EQ(Split(), (Expected{{0, true}}));
}

}  // namespace
}  // namespace heapledger::preload::scan
