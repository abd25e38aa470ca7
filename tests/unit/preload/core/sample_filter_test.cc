// SPDX-License-Identifier: Apache-2.0
#include "preload/core/sample_filter.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "tests/unit/preload/core/fake_env.h"

namespace heapledger::preload {
namespace {

constexpr std::uint64_t kRange = std::uint64_t{1} << SampleFilter::kRangeShift;
constexpr std::uint64_t kHeap = 0x7f1234560010;

class SampleFilterTest : public ::testing::Test {
 protected:
  SampleFilterTest() {
    std::memset(static_cast<void*>(&filter_), 0, sizeof filter_);
    EXPECT_TRUE(filter_.Open(env_));
  }

  bool Add(std::uint64_t address) {
    const testing::NoAllocGuard guard;
    return filter_.Add(env_, address);
  }

  FakeEnv env_{1};
  SampleFilter filter_;
};

TEST_F(SampleFilterTest, SuspectsTheRangesOfSamplesAndNoOthers) {
  ASSERT_TRUE(Add(kHeap));
  EXPECT_TRUE(filter_.MightHold(kHeap));
  EXPECT_TRUE(filter_.MightHold(kHeap & ~(kRange - 1)));
  EXPECT_TRUE(filter_.MightHold(kHeap | (kRange - 1)));
  EXPECT_FALSE(filter_.MightHold(kHeap + kRange));
  EXPECT_FALSE(filter_.MightHold(kHeap - kRange));
  EXPECT_FALSE(filter_.MightHold(kHeap + (1ULL << SampleFilter::kLeafShift)));
  filter_.Remove(kHeap);
  EXPECT_FALSE(filter_.MightHold(kHeap));
}

TEST_F(SampleFilterTest, SuspectsARangeUntilItsLastSampleIsRemoved) {
  ASSERT_TRUE(Add(kHeap));
  ASSERT_TRUE(Add(kHeap + 64));
  filter_.Remove(kHeap);
  EXPECT_TRUE(filter_.MightHold(kHeap));
  filter_.Remove(kHeap + 64);
  EXPECT_FALSE(filter_.MightHold(kHeap));
}

TEST_F(SampleFilterTest, RemovingWhatWasNeverAddedDoesNothing) {
  filter_.Remove(kHeap);
  ASSERT_TRUE(Add(kHeap));
  filter_.Remove(kHeap + kRange);
  filter_.Remove(~0ULL);
  EXPECT_TRUE(filter_.MightHold(kHeap));
  EXPECT_FALSE(filter_.MightHold(kHeap + kRange));
}

TEST_F(SampleFilterTest, SuspectsARangeForEverOnceItHeldTooManyToCount) {
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(Add(kHeap));
  for (int i = 0; i < 300; ++i) filter_.Remove(kHeap);
  EXPECT_TRUE(filter_.MightHold(kHeap));
  // And one less than too many is still counted.
  for (int i = 0; i < 254; ++i) ASSERT_TRUE(Add(kHeap + kRange));
  for (int i = 0; i < 254; ++i) filter_.Remove(kHeap + kRange);
  EXPECT_FALSE(filter_.MightHold(kHeap + kRange));
}

TEST_F(SampleFilterTest, RefusesWhatItCannotHold) {
  EXPECT_FALSE(Add(1ULL << 47));
  EXPECT_FALSE(filter_.MightHold(1ULL << 47));
  EXPECT_FALSE(filter_.MightHold(~0ULL));
  env_.refuse_memory = true;
  EXPECT_FALSE(Add(kHeap));
  EXPECT_FALSE(filter_.MightHold(kHeap));
}

TEST_F(SampleFilterTest, HoldsNothingWhileItIsAllZeros) {
  std::memset(static_cast<void*>(&filter_), 0, sizeof filter_);
  EXPECT_FALSE(filter_.MightHold(kHeap));
  EXPECT_FALSE(Add(kHeap));
  filter_.Remove(kHeap);
  env_.refuse_memory = true;
  EXPECT_FALSE(filter_.Open(env_));
  EXPECT_FALSE(filter_.MightHold(0));
}

TEST_F(SampleFilterTest, NeverDeniesASampleOverRandomTraffic) {
  std::mt19937_64 random(20261122);
  std::map<std::uint64_t, int> model;  // by range
  std::vector<std::uint64_t> added;
  for (int step = 0; step < 200000; ++step) {
    if (added.size() < 3000 && random() % 2 == 0) {
      // 64 MiB in steps of 32 bytes, over a border of leaves.
      added.push_back((1ULL << 40) - (32 << 20) + random() % (64 << 15) * 32);
      ASSERT_TRUE(Add(added.back()));
      ++model[added.back() / kRange];
    } else if (!added.empty()) {
      std::swap(added[random() % added.size()], added.back());
      filter_.Remove(added.back());
      --model[added.back() / kRange];
      added.pop_back();
    }
    const std::uint64_t probe =
        (1ULL << 40) - (32 << 20) + random() % (64 << 20);
    const auto found = model.find(probe / kRange);
    ASSERT_EQ(filter_.MightHold(probe),
              found != model.end() && found->second > 0);
  }
}

// An Env for threads: FakeEnv's list of what it gave is for one.
struct ThreadedEnv {
  FakeEnv& env;
  std::mutex mutex;

  void* MapPrivate(std::size_t bytes) {
    const std::lock_guard lock(mutex);
    return env.MapPrivate(bytes);
  }
  void Unmap(void*, std::size_t) {}
  void Discard(void*, std::size_t) {}
  bool Populate(std::uint32_t, std::uint32_t) { return false; }
};

TEST_F(SampleFilterTest, CountsRightWhenThreadsShareARange) {
  constexpr int kThreads = 4;
  constexpr int kEach = 60;  // all together stay countable
  ThreadedEnv threaded{env_, {}};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        for (int n = 0; n < kEach; ++n) {
          EXPECT_TRUE(filter_.Add(threaded, kHeap));
          EXPECT_TRUE(filter_.MightHold(kHeap));
        }
        for (int n = 0; n < kEach; ++n) filter_.Remove(kHeap);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(filter_.MightHold(kHeap));
}

}  // namespace
}  // namespace heapledger::preload
