// SPDX-License-Identifier: Apache-2.0
#include "preload/core/intern_table.h"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

#include "preload/unwind/stack_hash.h"
#include "tests/unit/preload/core/fake_env.h"

namespace heapledger::preload {
namespace {

constexpr auto kIs = [](std::uint32_t wanted) {
  return [wanted](std::uint32_t id) { return id == wanted; };
};
constexpr auto kNone = [](std::uint32_t) { return false; };
constexpr std::uint32_t kThen = 1;
constexpr std::uint32_t kNow = 2;

TEST(InternTableTest, FindsEveryEntryAcrossGrowth) {
  FakeEnv env;
  InternTable table;
  ASSERT_TRUE(table.Open(env, 4));
  for (std::uint32_t id = 1; id <= 200000; ++id) {
    ASSERT_TRUE(table.Insert(env, Mix(id, 1), kThen, id));
  }
  for (std::uint32_t id = 1; id <= 200000; ++id) {
    ASSERT_EQ(table.Find(Mix(id, 1), kThen, kNone), id);
  }
  EXPECT_EQ(table.Find(Mix(0, 1), kThen, kNone), 0U);
}

TEST(InternTableTest, AsksAmongEntriesOfOneKeyWhichIsRightNow) {
  FakeEnv env;
  InternTable table;
  ASSERT_TRUE(table.Open(env, 6));
  const std::uint64_t hash = Mix(1, 1);
  for (std::uint32_t id = 1; id <= 10; ++id) table.Insert(env, hash, kThen, id);
  EXPECT_EQ(table.Find(hash, kNow, kIs(7)), 7U);
  EXPECT_EQ(table.Find(hash, kNow + 1, kIs(11)), 0U);
}

TEST(InternTableTest, DoesNotGrowForEverOverEntriesOfOneKey) {
  FakeEnv env;
  InternTable table;
  ASSERT_TRUE(table.Open(env, 12));
  std::uint32_t inserted = 0;
  for (std::uint32_t id = 1; id <= 5000; ++id) {
    if (table.Insert(env, Mix(1, 1), kThen, id)) ++inserted;
  }
  EXPECT_LT(inserted, 1000U);
  EXPECT_TRUE(table.Insert(env, Mix(2, 1), kThen, 1));
}

TEST(InternTableTest, GoesOnInTheRoomItHasWhenMemoryIsRefused) {
  FakeEnv env;
  InternTable table;
  ASSERT_TRUE(table.Open(env, 4));
  env.refuse_memory = true;
  std::uint32_t inserted = 0;
  for (std::uint32_t id = 1; id <= 100; ++id) {
    if (table.Insert(env, Mix(id, 1), kThen, id)) ++inserted;
  }
  EXPECT_EQ(inserted, 16U);
}

TEST(InternTableTest, AsksOnceInAGeneration) {
  FakeEnv env;
  InternTable table;
  ASSERT_TRUE(table.Open(env, 8));
  table.Insert(env, Mix(1, 1), kThen, 5);
  int asked = 0;
  const auto count = [&](std::uint32_t) { return ++asked != 0; };
  EXPECT_EQ(table.Find(Mix(1, 1), kThen, count), 5U);
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(table.Find(Mix(1, 1), kNow, count), 5U);
  EXPECT_EQ(table.Find(Mix(1, 1), kNow, count), 5U);
  EXPECT_EQ(asked, 1);
}

TEST(InternTableTest, FindsNothingUnderNoKey) {
  FakeEnv env;
  InternTable table;
  ASSERT_TRUE(table.Open(env, 4));
  EXPECT_FALSE(table.Insert(env, 0, kThen, 5));
  EXPECT_EQ(table.Find(0, kThen, kNone), 0U);
}

// FakeEnv's bookkeeping is not made for threads.
struct ThreadEnv {
  ThreadEnv() = default;
  ThreadEnv(const ThreadEnv&) = delete;
  ThreadEnv& operator=(const ThreadEnv&) = delete;
  ~ThreadEnv() {
    for (void* area : areas) std::free(area);
  }
  void* MapPrivate(std::size_t bytes) {
    const std::lock_guard lock(mutex);
    return areas.emplace_back(std::calloc(1, bytes));
  }
  void Unmap(void*, std::size_t) {}
  void Discard(void*, std::size_t) {}
  bool Populate(std::uint32_t, std::uint32_t) { return true; }

  std::mutex mutex;
  std::vector<void*> areas;
};

TEST(InternTableTest, LosesFewEntriesToRacesAndInventsNone) {
  ThreadEnv env;
  InternTable table;
  ASSERT_TRUE(table.Open(env, 4));
  constexpr std::uint32_t kEach = 50000;
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::uint32_t i = 0; i < kEach; ++i) {
        const std::uint32_t id = 1 + thread * kEach + i;
        table.Insert(env, Mix(id, 1), kThen, id);
        const std::uint32_t found = table.Find(Mix(id, 1), kThen, kNone);
        EXPECT_TRUE(found == id || found == 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::uint32_t lost = 0;
  for (std::uint32_t id = 1; id <= 4 * kEach; ++id) {
    if (table.Find(Mix(id, 1), kThen, kNone) != id) ++lost;
  }
  EXPECT_LT(lost, 4 * kEach / 20);
}

}  // namespace
}  // namespace heapledger::preload
