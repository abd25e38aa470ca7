// SPDX-License-Identifier: Apache-2.0
#include "collector/system/heap_verdict.h"

#include <gtest/gtest.h>

#include <random>

namespace heapledger::collector {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

MemoryWaterfall Heap(std::uint64_t live, std::uint64_t fragmentation,
                     std::uint64_t retained, std::uint64_t other = 0) {
  MemoryWaterfall parts;
  parts.live = live * kMiB;
  parts.fragmentation = fragmentation * kMiB;
  parts.retained = retained * kMiB;
  parts.other = other * kMiB;
  return parts;
}

TEST(HeapVerdictTest, NamesWhatMostOfTheHeapIs) {
  EXPECT_EQ(JudgeHeap(Heap(90, 5, 5)), HeapVerdict::kLive);
  EXPECT_EQ(JudgeHeap(Heap(5, 5, 90)), HeapVerdict::kRetained);
  EXPECT_EQ(JudgeHeap(Heap(5, 90, 5)), HeapVerdict::kFragmented);
  EXPECT_EQ(JudgeHeap(Heap(33, 33, 34)), HeapVerdict::kMixed);
  EXPECT_EQ(JudgeHeap(Heap(20, 0, 0, 80)), HeapVerdict::kElsewhere);
  EXPECT_EQ(JudgeHeap(Heap(0, 0, 0)), HeapVerdict::kSmall);
}

TEST(HeapVerdictTest, DoesNotCountItselfOrFiles) {
  MemoryWaterfall parts = Heap(2, 0, 0);
  parts.ledger = 100 * kMiB;
  parts.file = 100 * kMiB;
  EXPECT_EQ(JudgeHeap(parts), HeapVerdict::kLive);
}

TEST(MemoryWaterfallTest, GivesEveryByteToOnePart) {
  HeapPages pages;
  pages.returnable = 50 * kMiB;
  pages.live_pages = 30 * kMiB;
  pages.live_bytes = 20 * kMiB;
  MappedAreas areas;
  areas.shim = 4 * kMiB;
  areas.ledger_file = kMiB;
  areas.stacks = 2 * kMiB;
  ProcessMemory memory;
  memory.anonymous = 100 * kMiB;
  memory.file = 10 * kMiB;
  memory.shmem = kMiB;
  const MemoryWaterfall parts = MakeWaterfall(pages, areas, memory);
  EXPECT_EQ(parts.live, 20 * kMiB);
  EXPECT_EQ(parts.fragmentation, 10 * kMiB);
  EXPECT_EQ(parts.retained, 50 * kMiB);
  EXPECT_EQ(parts.ledger, 5 * kMiB);
  EXPECT_EQ(parts.stack, 2 * kMiB);
  EXPECT_EQ(parts.file, 10 * kMiB);
  EXPECT_EQ(parts.other, 14 * kMiB);
  EXPECT_EQ(parts.sum(), memory.resident());
}

TEST(MemoryWaterfallTest, AddsUpWhateverItIsGiven) {
  std::mt19937_64 random(4711);
  for (int round = 0; round < 1000; ++round) {
    HeapPages pages;
    pages.returnable = random() % (100 * kMiB);
    pages.live_pages = random() % (100 * kMiB);
    pages.live_bytes = random() % (pages.live_pages + 1);
    MappedAreas areas;
    areas.shim = random() % (50 * kMiB);
    areas.ledger_file = random() % (50 * kMiB);
    areas.stacks = random() % (50 * kMiB);
    ProcessMemory memory;
    memory.anonymous = random() % (100 * kMiB);
    memory.file = random() % (100 * kMiB);
    memory.shmem = random() % (100 * kMiB);
    ASSERT_EQ(MakeWaterfall(pages, areas, memory).sum(), memory.resident());
  }
}

}  // namespace
}  // namespace heapledger::collector
