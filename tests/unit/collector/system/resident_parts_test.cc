// SPDX-License-Identifier: Apache-2.0
#include "collector/system/resident_parts.h"

#include <gtest/gtest.h>

#include <random>

namespace heapledger::collector {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

ProcessMemory Resident(std::uint64_t anonymous, std::uint64_t file,
                       std::uint64_t shmem) {
  ProcessMemory memory;
  memory.anonymous = anonymous;
  memory.file = file;
  memory.shmem = shmem;
  return memory;
}

TEST(ResidentPartsTest, GivesEveryByteToOnePart) {
  const ResidentParts parts =
      SplitResident(Resident(100 * kMiB, 10 * kMiB, 2 * kMiB),
                    {.heap = 60 * kMiB,
                     .heap_mapped = 80 * kMiB,
                     .stacks = 3 * kMiB,
                     .shim = 7 * kMiB,
                     .ledger_file = kMiB,
                     .rest = 30 * kMiB},
                    {.live_bytes = 40 * kMiB,
                     .overhead_bytes = 4 * kMiB,
                     .glibc_malloc = true});
  EXPECT_EQ(parts.live, 40 * kMiB);
  EXPECT_EQ(parts.allocator_metadata, 4 * kMiB);
  EXPECT_EQ(parts.allocator_retained, 16 * kMiB);
  EXPECT_EQ(parts.ledger, 8 * kMiB);
  EXPECT_EQ(parts.stack, 3 * kMiB);
  EXPECT_EQ(parts.file, 11 * kMiB);
  EXPECT_EQ(parts.other, 30 * kMiB);
  EXPECT_EQ(parts.heap_mapped, 80 * kMiB);
  EXPECT_EQ(parts.heap_resident(), 60 * kMiB);
  EXPECT_EQ(parts.sum(), 112 * kMiB);
}

TEST(ResidentPartsTest, FindsBlocksThatMallocMappedInTheRest) {
  // 50 MiB do not fit into 20: 32 lie elsewhere.
  ResidentParts parts = SplitResident(Resident(100 * kMiB, 0, 0),
                                      {.heap = 20 * kMiB, .rest = 80 * kMiB},
                                      {.live_bytes = 50 * kMiB,
                                       .overhead_bytes = 2 * kMiB,
                                       .glibc_malloc = true});
  EXPECT_EQ(parts.live, 50 * kMiB);
  EXPECT_EQ(parts.allocator_retained, 0U);
  EXPECT_EQ(parts.other, 48 * kMiB);
  // One block of 45 MiB never lies in an area: these hold 5 MiB, and 13 free.
  parts = SplitResident(Resident(100 * kMiB, 0, 0),
                        {.heap = 20 * kMiB, .rest = 80 * kMiB},
                        {.live_bytes = 50 * kMiB,
                         .overhead_bytes = 2 * kMiB,
                         .mapped_live_bytes = 45 * kMiB,
                         .glibc_malloc = true});
  EXPECT_EQ(parts.live, 50 * kMiB);
  EXPECT_EQ(parts.allocator_retained, 13 * kMiB);
  EXPECT_EQ(parts.other, 35 * kMiB);
}

TEST(ResidentPartsTest, CountsGrowthSinceTheWalkAsMallocs) {
  const MappedAreas walked{.heap = 20 * kMiB, .rest = 5 * kMiB};
  const HeapFigures heap{.live_bytes = 60 * kMiB, .glibc_malloc = true};
  const ResidentParts parts =
      SplitResident(Resident(70 * kMiB, 0, 0), walked, heap);
  EXPECT_EQ(parts.live, 60 * kMiB);
  EXPECT_EQ(parts.allocator_retained, 5 * kMiB);
  EXPECT_EQ(parts.other, 5 * kMiB);
}

TEST(ResidentPartsTest, SaysNothingOfAnotherAllocatorsAreas) {
  const ResidentParts parts = SplitResident(
      Resident(70 * kMiB, 0, 0), {.heap = kMiB, .rest = 69 * kMiB},
      {.live_bytes = 60 * kMiB, .overhead_bytes = kMiB});
  EXPECT_EQ(parts.live, 60 * kMiB);
  EXPECT_EQ(parts.allocator_retained, std::nullopt);
  EXPECT_EQ(parts.heap_resident(), std::nullopt);
  EXPECT_EQ(parts.other, 10 * kMiB);
}

TEST(ResidentPartsTest, AddsUpWhateverItIsGiven) {
  std::mt19937_64 random(7);
  const auto any = [&random] {
    // Small, large and absurd ones.
    return random() >> (random() % 64);
  };
  for (int i = 0; i < 100000; ++i) {
    const ProcessMemory memory = Resident(any() >> 2, any() >> 2, any() >> 2);
    const ResidentParts parts =
        SplitResident(memory,
                      {.heap = any(),
                       .heap_mapped = any(),
                       .stacks = any(),
                       .shim = any(),
                       .ledger_file = any(),
                       .rest = any()},
                      {.live_bytes = any(),
                       .overhead_bytes = any(),
                       .mapped_live_bytes = any(),
                       .glibc_malloc = (random() & 1) != 0});
    ASSERT_EQ(parts.sum(), memory.resident()) << i;
  }
}

TEST(ResidentPartsTest, KnowsWhatMallocTakesBesideABlock) {
  EXPECT_EQ(MallocOverhead(0, 0), 0U);
  EXPECT_EQ(MallocOverhead(1, 1), 31U);
  EXPECT_EQ(MallocOverhead(24, 1), 8U);
  EXPECT_EQ(MallocOverhead(25, 1), 23U);
  EXPECT_EQ(MallocOverhead(1000 * 40, 1000), 8000U);
  EXPECT_EQ(MallocOverhead(std::uint64_t{64} << 20, 1), 0U);
}

}  // namespace
}  // namespace heapledger::collector
