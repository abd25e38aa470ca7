// SPDX-License-Identifier: Apache-2.0
#include "preload/core/shard.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "preload/core/shard_pool.h"

namespace heapledger::preload {
namespace {

TEST(ShardTest, CountsBytesAndObjectsBothWays) {
  heapledger::ledger::CounterCell cell{};
  BookAllocated<ShardKind::kOwned>(cell, {1ULL << 40, 1});
  BookAllocated<ShardKind::kShared>(cell, {24, 1});
  BookFreed<ShardKind::kOwned>(cell, {24, 1});
  EXPECT_EQ(cell.allocated_bytes, (1ULL << 40) + 24);
  EXPECT_EQ(cell.allocated_objects, 2U);
  EXPECT_EQ(cell.freed_bytes, 24U);
  EXPECT_EQ(cell.freed_objects, 1U);
}

TEST(ShardTest, LosesNothingWhenThreadsShareAShard) {
  heapledger::ledger::CounterCell cell{};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&cell] {
      for (int n = 0; n < 100000; ++n) {
        BookAllocated<ShardKind::kShared>(cell, {3, 1});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cell.allocated_bytes, 1200000U);
  EXPECT_EQ(cell.allocated_objects, 400000U);
}

class PeakTest : public ::testing::Test {
 protected:
  void Add(std::int64_t difference) {
    if (difference >= 0) {
      FollowAllocated<ShardKind::kOwned>(
          *header_, *shard_, static_cast<std::uint64_t>(difference));
    } else {
      FollowFreed<ShardKind::kOwned>(*header_, *shard_,
                                     static_cast<std::uint64_t>(-difference));
    }
    live_ += difference;
    if (live_ > highest_) highest_ = live_;
  }
  // What a reader makes of it.
  std::int64_t Peak() const {
    const std::int64_t now =
        header_->handed_in_bytes +
        std::max<std::int64_t>(shard_->high_water_bytes, shard_->net_bytes);
    return std::max(static_cast<std::int64_t>(header_->peak_live_bytes.load()),
                    now);
  }

  std::unique_ptr<heapledger::ledger::Header> header_ =
      std::make_unique<heapledger::ledger::Header>();
  std::unique_ptr<heapledger::ledger::ShardHeader> shard_ =
      std::make_unique<heapledger::ledger::ShardHeader>();
  std::int64_t live_ = 0;
  std::int64_t highest_ = 0;
};

TEST_F(PeakTest, IsExactForOneShardAtEveryMoment) {
  unsigned seed = 7;
  for (int step = 0; step < 100000; ++step) {
    seed = seed * 1664525 + 1013904223;
    const std::int64_t size = (seed >> 8) % 40000;
    Add((seed & 128) != 0 || live_ < size ? size : -size);
    ASSERT_EQ(Peak(), highest_) << step;
  }
}

TEST_F(PeakTest, SeesAPeakLargerThanTheBlockThatIsHandedIn) {
  Add(1LL << 33);
  Add(-(1LL << 33));
  Add(10);
  EXPECT_EQ(Peak(), 1LL << 33);
}

TEST(ShardPoolTest, GivesEachThreadItsOwnWhileThereAreAnyAndThenShares) {
  ShardPool pool;
  std::vector<bool> taken(heapledger::ledger::kShardCount);
  for (std::uint32_t i = 0; i < ShardPool::kOwnedShards; ++i) {
    const std::uint32_t shard = pool.Acquire();
    ASSERT_FALSE(ShardPool::IsShared(shard));
    ASSERT_FALSE(taken[shard]);
    taken[shard] = true;
  }
  const std::uint32_t shared = pool.Acquire();
  EXPECT_TRUE(ShardPool::IsShared(shared));
  pool.Release(shared);
  pool.Release(7);
  EXPECT_EQ(pool.Acquire(), 7U);
}

TEST(ShardPoolTest, NeverGivesOneShardToTwoThreadsAtOnce) {
  ShardPool pool;
  std::atomic<int> users[heapledger::ledger::kShardCount] = {};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20000; ++n) {
        const std::uint32_t shard = pool.Acquire();
        EXPECT_EQ(users[shard].fetch_add(1), 0);
        users[shard].fetch_sub(1);
        pool.Release(shard);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace heapledger::preload
