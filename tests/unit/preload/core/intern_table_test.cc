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

TEST(InternTableTest, FindsEveryEntryAcrossGrowth) {
  FakeEnv env;
  InternTable table;
  ASSERT_TRUE(table.Open(env, 4));
  for (std::uint32_t id = 1; id <= 200000; ++id) {
    ASSERT_TRUE(table.Insert(env, Mix(id, 1), id));
  }
  for (std::uint32_t id = 1; id <= 200000; ++id) {
    ASSERT_EQ(table.Find(Mix(id, 1), kIs(id)), id);
  }
  EXPECT_EQ(table.Find(Mix(0, 1), [](std::uint32_t) { return true; }), 0U);
}

TEST(InternTableTest, AsksThePredicateAmongEntriesOfOneHash) {
  FakeEnv env;
  InternTable table;
  ASSERT_TRUE(table.Open(env, 6));
  const std::uint64_t hash = Mix(1, 1);
  for (std::uint32_t id = 1; id <= 10; ++id) table.Insert(env, hash, id);
  EXPECT_EQ(table.Find(hash, kIs(7)), 7U);
  EXPECT_EQ(table.Find(hash, kIs(11)), 0U);
}

TEST(InternTableTest, DoesNotGrowForEverOverEntriesOfOneHash) {
  FakeEnv env;
  InternTable table;
  ASSERT_TRUE(table.Open(env, 12));
  std::uint32_t inserted = 0;
  for (std::uint32_t id = 1; id <= 5000; ++id) {
    if (table.Insert(env, Mix(1, 1), id)) ++inserted;
  }
  EXPECT_LT(inserted, 1000U);
  EXPECT_TRUE(table.Insert(env, Mix(2, 1), 1));
}

TEST(InternTableTest, GoesOnInTheRoomItHasWhenMemoryIsRefused) {
  FakeEnv env;
  InternTable table;
  ASSERT_TRUE(table.Open(env, 4));
  env.refuse_memory = true;
  std::uint32_t inserted = 0;
  for (std::uint32_t id = 1; id <= 100; ++id) {
    if (table.Insert(env, Mix(id, 1), id)) ++inserted;
  }
  EXPECT_EQ(inserted, 16U);
}

TEST(InternTableTest, ForgetsEverythingOnClear) {
  FakeEnv env;
  InternTable table;
  ASSERT_TRUE(table.Open(env, 8));
  table.Insert(env, Mix(1, 1), 1);
  table.Clear(env);
  EXPECT_EQ(table.Find(Mix(1, 1), kIs(1)), 0U);
  EXPECT_TRUE(table.Insert(env, Mix(1, 1), 2));
  EXPECT_EQ(table.Find(Mix(1, 1), kIs(2)), 2U);
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
        table.Insert(env, Mix(id, 1), id);
        const std::uint32_t found =
            table.Find(Mix(id, 1), [](std::uint32_t) { return true; });
        EXPECT_TRUE(found == id || found == 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::uint32_t lost = 0;
  for (std::uint32_t id = 1; id <= 4 * kEach; ++id) {
    if (table.Find(Mix(id, 1), kIs(id)) != id) ++lost;
  }
  EXPECT_LT(lost, 4 * kEach / 20);
}

}  // namespace
}  // namespace heapledger::preload
