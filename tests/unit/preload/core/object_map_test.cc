// SPDX-License-Identifier: Apache-2.0
#include "preload/core/object_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/unit/preload/core/fake_env.h"

namespace heapledger::preload {
namespace {

class ObjectMapTest : public ::testing::Test {
 protected:
  ObjectMapTest() { EXPECT_TRUE(map_.Open(env_)); }

  BlockRecord Insert(std::uint64_t address, std::uint64_t bytes,
                     std::uint32_t callsite) {
    const testing::NoAllocGuard guard;
    ObjectMap::Slot* const slot = map_.Cover(env_, address);
    if (slot == nullptr) std::abort();
    const BlockRecord stale = ObjectMap::Take(slot);
    ObjectMap::Put(slot, bytes, callsite);
    return stale;
  }

  FakeEnv env_;
  ObjectMap map_;
};

TEST_F(ObjectMapTest, GivesBackEverySizeOnce) {
  const std::uint64_t address = 0x7f0012345670;
  for (const std::uint64_t bytes :
       {0ULL, 1ULL, 24ULL, 253ULL, 254ULL, 255ULL, 256ULL, 65535ULL,
        0xffffffffULL, 0x100000000ULL, 1ULL << 40, (1ULL << 62) + 12345}) {
    EXPECT_EQ(Insert(address, bytes, 77).callsite, 0U) << bytes;
    const BlockRecord taken = map_.Remove(address);
    EXPECT_EQ(taken.callsite, 77U) << bytes;
    EXPECT_EQ(taken.bytes, bytes);
    EXPECT_EQ(map_.Remove(address).callsite, 0U) << bytes;
  }
}

TEST_F(ObjectMapTest, LeavesNothingBehindInTheSlotsOfALargeBlock) {
  Insert(0x1000, 1ULL << 33, 5);
  map_.Remove(0x1000);
  EXPECT_EQ(Insert(0x1020, 8, 6).callsite, 0U);
  EXPECT_EQ(Insert(0x1040, 8, 7).callsite, 0U);
}

TEST_F(ObjectMapTest, HoldsTheLargestCallsite) {
  const std::uint32_t last = heapledger::ledger::kMaxCallsites - 1;
  Insert(0x2000, 253, last);
  EXPECT_EQ(map_.Remove(0x2000).callsite, last);
}

TEST_F(ObjectMapTest, NamesTheBlockThatAnInsertReplaces) {
  Insert(0x3000, 5000, 11);
  const BlockRecord stale = Insert(0x3000, 10, 12);
  EXPECT_EQ(stale.callsite, 11U);
  EXPECT_EQ(stale.bytes, 5000U);
  EXPECT_EQ(map_.Remove(0x3000).callsite, 12U);
}

TEST_F(ObjectMapTest, KeepsALargeBlockAtTheEndOfALeafInThatLeaf) {
  const std::uint64_t last_granule = (1ULL << 24) - 16;
  Insert(last_granule, 1ULL << 34, 9);
  const BlockRecord taken = map_.Remove(last_granule);
  EXPECT_EQ(taken.callsite, 9U);
  EXPECT_EQ(taken.bytes, 1ULL << 34);
}

TEST_F(ObjectMapTest, KnowsNothingOfAddressesItNeverCovered) {
  EXPECT_EQ(map_.Remove(0x7fffdeadbee0).callsite, 0U);
  EXPECT_EQ(map_.Remove(~0ULL - 31).callsite, 0U);
}

TEST_F(ObjectMapTest, RefusesAddressesBeyondUserSpaceAndWithoutMemory) {
  EXPECT_FALSE(map_.Cover(env_, 1ULL << 47));
  env_.refuse_memory = true;
  EXPECT_FALSE(map_.Cover(env_, 0x5500000000));
}

TEST_F(ObjectMapTest, VisitsEveryBlockAndReassignsIt) {
  Insert(0x1010, 10, 3);
  Insert(0x2020, 1000, 4);
  Insert(0x7f0000000020, 1ULL << 35, 5);
  std::map<std::uint64_t, std::uint64_t> seen;
  map_.ForEach([&](std::uint64_t address, const BlockRecord& record) {
    seen[address] = record.bytes;
    if (record.callsite == 4) map_.Reassign(address, 40);
  });
  EXPECT_EQ(seen,
            (std::map<std::uint64_t, std::uint64_t>{
                {0x1000, 10}, {0x2020, 1000}, {0x7f0000000020, 1ULL << 35}}));
  const BlockRecord taken = map_.Remove(0x2020);
  EXPECT_EQ(taken.callsite, 40U);
  EXPECT_EQ(taken.bytes, 1000U);
}

TEST_F(ObjectMapTest, AgreesWithAModelOverRandomTraffic) {
  std::mt19937_64 random(20261122);
  std::map<std::uint64_t, BlockRecord> model;
  for (int step = 0; step < 200000; ++step) {
    // Blocks of at most 1 KiB, 1 KiB apart, over three leaves.
    const std::uint64_t address = 0x10 + (random() % 40000) * 1024;
    const auto found = model.find(address);
    if (found != model.end()) {
      const BlockRecord taken = map_.Remove(address);
      ASSERT_EQ(taken.callsite, found->second.callsite);
      ASSERT_EQ(taken.bytes, found->second.bytes);
      model.erase(found);
    } else {
      const BlockRecord block{static_cast<std::uint32_t>(1 + random() % 100000),
                              random() % 1008};
      ASSERT_EQ(Insert(address, block.bytes, block.callsite).callsite, 0U);
      model[address] = block;
    }
  }
}

TEST_F(ObjectMapTest, TellsABlockFromTheSizeOfTheOneBefore) {
  for (const std::uint64_t bytes : {100ULL, 5000ULL, 6ULL << 30}) {
    const std::uint64_t address = 0x100000;
    Insert(address, bytes, 7);
    const std::uint32_t slots = ObjectMap::SlotsOf(bytes);
    EXPECT_TRUE(map_.IsStart(address));
    for (std::uint32_t i = 1; i < slots; ++i) {
      EXPECT_FALSE(map_.IsStart(address + 32 * i)) << bytes;
    }
    EXPECT_TRUE(map_.IsStart(address + 32 * slots)) << bytes;
    (void)map_.Remove(address);
  }
}

}  // namespace
}  // namespace heapledger::preload
