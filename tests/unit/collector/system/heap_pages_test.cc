// SPDX-License-Identifier: Apache-2.0
#include "collector/system/heap_pages.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace heapledger::collector {
namespace {

using State = HeapPageCounter::State;

constexpr std::uint64_t kPage = HeapPageCounter::kPage;
constexpr std::uint64_t kHeap = 0x10000000;

std::vector<State> Pages(std::size_t count, State state = State::kResident) {
  return std::vector<State>(count, state);
}

TEST(HeapPagesTest, ReturnsWhatNoBlockLiesOn) {
  HeapPageCounter counter;
  counter.BeginStretch(kHeap, Pages(10), true);
  counter.Block(kHeap + 2 * kPage + 64, 100, 7);
  const HeapPages& pages = counter.Finish();
  EXPECT_EQ(pages.returnable, 9 * kPage);
  EXPECT_EQ(pages.live_pages, kPage);
  EXPECT_EQ(pages.live_bytes, 100U);
  EXPECT_EQ(pages.fragmentation(), kPage - 100);
  EXPECT_EQ(pages.blocks, 1U);
}

TEST(HeapPagesTest, CountsPagesInMemoryOnly) {
  std::vector<State> states = Pages(4, State::kAbsent);
  states[1] = State::kResident;
  states[2] = State::kSwapped;
  states[3] = State::kSwapped;
  HeapPageCounter counter;
  counter.BeginStretch(kHeap, states, true);
  counter.Block(kHeap, 2 * kPage, 7);  // its first page was never touched
  counter.Block(kHeap + 3 * kPage, 8, 7);
  const HeapPages& pages = counter.Finish();
  EXPECT_EQ(pages.returnable, 0U);
  EXPECT_EQ(pages.live_pages, kPage);
  EXPECT_EQ(pages.live_bytes, kPage);
  EXPECT_EQ(pages.swapped, 2 * kPage);
}

TEST(HeapPagesTest, FollowsABlockIntoTheNextStretch) {
  HeapPageCounter counter;
  counter.BeginStretch(kHeap, Pages(2), true);
  counter.Block(kHeap + kPage, 3 * kPage + 10, 7);
  counter.BeginStretch(kHeap + 2 * kPage, Pages(4), true);
  const HeapPages& pages = counter.Finish();
  EXPECT_EQ(pages.live_pages, 4 * kPage);
  EXPECT_EQ(pages.live_bytes, 3 * kPage + 10);
  EXPECT_EQ(pages.returnable, 2 * kPage);
}

TEST(HeapPagesTest, LeavesWhatIsNotMallocsToItsOwner) {
  HeapPageCounter counter;
  counter.BeginStretch(kHeap, Pages(5), false);
  counter.Block(kHeap + kPage, kPage, 7);
  const HeapPages& pages = counter.Finish();
  EXPECT_EQ(pages.returnable, 0U);
  EXPECT_EQ(pages.live_pages, kPage);
}

TEST(HeapPagesTest, SaysWhichBlocksPinPages) {
  HeapPageCounter counter;
  counter.BeginStretch(kHeap, Pages(4), true);
  counter.Block(kHeap, 32, 7);
  counter.Block(kHeap + kPage, 3000, 8);  // more than a quarter of its page
  counter.Block(kHeap + 2 * kPage, 200, 9);
  counter.Block(kHeap + 2 * kPage + 256, 32, 7);
  const HeapPages& pages = counter.Finish();
  EXPECT_EQ(pages.classes[0], (SizeClassPages{2, 64, kPage - 32}));
  EXPECT_EQ(pages.classes[1], (SizeClassPages{1, 200, kPage - 232}));
  EXPECT_EQ(pages.classes[3], (SizeClassPages{1, 3000, kPage - 3000}));
  EXPECT_EQ(pages.pinned_by.size(), 2U);
  EXPECT_EQ(pages.pinned_by.at(7), kPage - 32);
  EXPECT_EQ(pages.pinned_by.at(9), kPage - 232);
}

TEST(HeapPagesTest, TakesABlockOfNoBytesForItsPage) {
  HeapPageCounter counter;
  counter.BeginStretch(kHeap, Pages(1), true);
  counter.Block(kHeap + 32, 0, 7);
  EXPECT_EQ(counter.Finish().live_pages, kPage);
}

// Against page by page counting, also where blocks overlap or come too late.
TEST(HeapPagesTest, AgreesWithPlainCountingOnRandomHeaps) {
  std::mt19937_64 random(4711);
  for (int round = 0; round < 200; ++round) {
    constexpr std::size_t kPages = 64;
    std::vector<State> states(kPages);
    for (State& state : states) state = static_cast<State>(random() % 3);
    std::map<std::size_t, std::uint64_t> live;  // by page
    HeapPageCounter counter;
    std::uint64_t at = kHeap;
    std::uint64_t end = kHeap;
    counter.BeginStretch(kHeap, {states.begin(), states.begin() + kPages / 2},
                         true);
    bool second = false;
    while (true) {
      at = end + random() % 9000;
      const std::uint64_t bytes = 1 + random() % 9000;
      end = at + bytes;
      if (end > kHeap + kPages * kPage) break;
      if (!second && at >= kHeap + kPages / 2 * kPage) {
        second = true;
        counter.BeginStretch(kHeap + kPages / 2 * kPage,
                             {states.begin() + kPages / 2, states.end()}, true);
      }
      counter.Block(at, bytes, 7);
      for (std::uint64_t byte = at; byte < end; ++byte) {
        ++live[(byte - kHeap) / kPage];
      }
    }
    if (!second) {
      counter.BeginStretch(kHeap + kPages / 2 * kPage,
                           {states.begin() + kPages / 2, states.end()}, true);
    }
    HeapPages expected;
    for (std::size_t page = 0; page < kPages; ++page) {
      if (states[page] == State::kSwapped) expected.swapped += kPage;
      if (states[page] != State::kResident) continue;
      if (live[page] == 0) {
        expected.returnable += kPage;
      } else {
        expected.live_pages += kPage;
        expected.live_bytes += live[page];
      }
    }
    const HeapPages& pages = counter.Finish();
    ASSERT_EQ(pages.returnable, expected.returnable) << round;
    ASSERT_EQ(pages.live_pages, expected.live_pages) << round;
    ASSERT_EQ(pages.live_bytes, expected.live_bytes) << round;
    ASSERT_EQ(pages.swapped, expected.swapped) << round;
  }
}

TEST(HeapPagesTest, StandsBlocksThatOverlapOrComeTooLate) {
  HeapPageCounter counter;
  counter.BeginStretch(kHeap, Pages(4), true);
  counter.Block(kHeap + 2 * kPage, 100, 7);
  counter.Block(kHeap, 5 * kPage, 8);
  counter.Block(kHeap + 3 * kPage, kPage, 9);
  const HeapPages& pages = counter.Finish();
  EXPECT_EQ(pages.live_pages + pages.returnable, 4 * kPage);
  EXPECT_LE(pages.live_bytes, pages.live_pages);
}

}  // namespace
}  // namespace heapledger::collector
