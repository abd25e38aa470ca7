// SPDX-License-Identifier: Apache-2.0
#include "preload/core/trim_pace.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace heapledger::preload {
namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kStart = 1000 * kMs;

TEST(TrimPaceTest, LetsTheFirstBeginAtOnce) {
  TrimPace pace;
  EXPECT_TRUE(pace.TryBegin(0));
}

TEST(TrimPaceTest, HasOneAtATime) {
  TrimPace pace;
  ASSERT_TRUE(pace.TryBegin(kStart));
  EXPECT_FALSE(pace.TryBegin(kStart));
  EXPECT_FALSE(pace.TryBegin(kStart + 1'000'000 * kMs));
}

TEST(TrimPaceTest, RestsForASecondAtLeast) {
  TrimPace pace;
  ASSERT_TRUE(pace.TryBegin(kStart));
  pace.End(kStart, kStart + 2 * kMs);
  EXPECT_FALSE(pace.TryBegin(kStart + 1001 * kMs));
  EXPECT_TRUE(pace.TryBegin(kStart + 1002 * kMs));
}

TEST(TrimPaceTest, TakesNoMoreThanATenthOfTheTime) {
  TrimPace pace;
  ASSERT_TRUE(pace.TryBegin(kStart));
  pace.End(kStart, kStart + 500 * kMs);
  EXPECT_FALSE(pace.TryBegin(kStart + 4999 * kMs));
  EXPECT_TRUE(pace.TryBegin(kStart + 5000 * kMs));
}

TEST(TrimPaceTest, ForgetsWhatAnotherThreadWasAt) {
  TrimPace pace;
  ASSERT_TRUE(pace.TryBegin(kStart));
  pace.Reset();
  EXPECT_TRUE(pace.TryBegin(kStart));
}

TEST(TrimPaceTest, LetsOneOfManyThreadsBegin) {
  TrimPace pace;
  std::atomic<int> begun{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 1000; ++round) {
        if (pace.TryBegin(kStart)) ++begun;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(begun, 1);
}

}  // namespace
}  // namespace heapledger::preload
