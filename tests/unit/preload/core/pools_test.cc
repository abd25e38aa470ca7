// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "preload/core/bootstrap_pool.h"
#include "preload/core/thread_pool.h"
#include "preload/core/thread_state.h"
#include "tests/unit/preload/core/fake_env.h"

namespace heapledger::preload {
namespace {

TEST(BootstrapPoolTest, GivesZeroedAlignedMemoryAndKnowsItsSize) {
  auto pool = std::make_unique<BootstrapPool>();
  for (const std::size_t alignment : {1, 16, 64, 4096}) {
    void* const block = pool->Take(100, alignment);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0U);
    EXPECT_TRUE(pool->Holds(block));
    EXPECT_EQ(pool->SizeOf(block), 100U);
    const char zeros[100] = {};
    EXPECT_EQ(std::memcmp(block, zeros, 100), 0);
    std::memset(block, 1, 100);
  }
}

TEST(BootstrapPoolTest, GoesOnInTheMemoryItIsHandedWhenItsOwnIsUsedUp) {
  auto pool = std::make_unique<BootstrapPool>();
  EXPECT_EQ(pool->Take(BootstrapPool::kOwnBytes, 16), nullptr);
  std::vector<std::byte> extra(BootstrapPool::kExtraBytes + 4096);
  EXPECT_TRUE(pool->Extend(extra.data()));
  EXPECT_FALSE(pool->Extend(extra.data()));
  void* const block = pool->Take(BootstrapPool::kOwnBytes, 16);
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(pool->Holds(block));
  EXPECT_FALSE(pool->Holds(&block));
}

TEST(ThreadPoolTest, RecyclesStates) {
  FakeEnv env;
  auto pool = std::make_unique<ThreadPool>();
  std::set<ThreadState*> states;
  for (int i = 0; i < 10000; ++i) {
    ThreadState* const state = pool->Take(env);
    ASSERT_NE(state, nullptr);
    states.insert(state);
    pool->Give(state);
  }
  EXPECT_EQ(states.size(), 1U);
}

TEST(ThreadPoolTest, NeverGivesOneStateToTwoThreadsAtOnce) {
  FakeEnv env;
  auto pool = std::make_unique<ThreadPool>();
  std::vector<ThreadState*> warm;
  for (int i = 0; i < 8; ++i) warm.push_back(pool->Take(env));
  for (ThreadState* state : warm) pool->Give(state);
  std::atomic<int> users[8] = {};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20000; ++n) {
        ThreadState* const state = pool->Take(env);
        ASSERT_LT(state->index, 8U);
        EXPECT_EQ(users[state->index].fetch_add(1), 0);
        users[state->index].fetch_sub(1);
        pool->Give(state);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ThreadPoolTest, SaysNoWhenMemoryIsRefused) {
  FakeEnv env;
  env.refuse_memory = true;
  auto pool = std::make_unique<ThreadPool>();
  EXPECT_EQ(pool->Take(env), nullptr);
}

TEST(ReentryGuardTest, KeepsANestedCallerOut) {
  ReentryGuard guard;
  ASSERT_TRUE(guard.Enter(1000));
  EXPECT_FALSE(guard.Enter(900));
  EXPECT_TRUE(guard.Leave(1000));
  EXPECT_TRUE(guard.Enter(900));
}

TEST(ReentryGuardTest, RepairsItselfWhenTheHolderWasJumpedOver) {
  ReentryGuard guard;
  ASSERT_TRUE(guard.Enter(1000));
  // siglongjmp: the frame at 1000 is gone, its caller allocates.
  EXPECT_TRUE(guard.Enter(1100));
  EXPECT_TRUE(guard.Leave(1100));
}

TEST(ReentryGuardTest, TellsTheHolderThatItsTurnWasTaken) {
  ReentryGuard guard;
  ASSERT_TRUE(guard.Enter(1000));
  // A handler on an alternate stack that lies higher.
  ASSERT_TRUE(guard.Enter(5000));
  EXPECT_TRUE(guard.Leave(5000));
  EXPECT_FALSE(guard.Leave(1000));
}

}  // namespace
}  // namespace heapledger::preload
