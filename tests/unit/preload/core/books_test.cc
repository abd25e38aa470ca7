// SPDX-License-Identifier: Apache-2.0
#include "preload/core/books.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "tests/unit/preload/core/fake_env.h"

namespace heapledger::preload {
namespace {

using heapledger::ledger::Degraded;

struct Sums {
  std::uint64_t live_bytes = 0;
  std::uint64_t live_objects = 0;
  bool operator==(const Sums&) const = default;
};

// Books over a ledger in memory, read back through its extents as a reader
// would.
class BooksTest : public ::testing::Test {
 protected:
  explicit BooksTest(std::uint32_t pages = 8192) : env_(pages) {
    EXPECT_TRUE(objects_.Open(env_));
    Open(*books_, env_, heapledger::ledger::kFirstCallsite);
  }

  void Open(Books<FakeEnv>& books, FakeEnv& env, std::uint32_t first) {
    books.set_objects(objects_);
    ASSERT_TRUE(books.Open(&env, env.ledger(), env.cap_bytes(), first));
  }

  void Allocate(ThreadState* state, std::uint64_t address, std::uint64_t bytes,
                std::vector<std::uint64_t> frames) {
    const StackView stack{frames.data(),
                          static_cast<std::uint32_t>(frames.size()), 0};
    const testing::NoAllocGuard guard;
    const std::uint32_t callsite = books_->CallsiteOf(stack);
    if (state == nullptr) {
      books_->AllocatedElsewhere(state, address, bytes, callsite);
    } else {
      books_->Allocated(state, address, bytes, callsite);
    }
  }

  bool Free(ThreadState* state, std::uint64_t address) {
    const testing::NoAllocGuard guard;
    const BlockRecord record = books_->Take(address);
    if (record.callsite == heapledger::ledger::kNoCallsite) return false;
    if (state == nullptr) {
      books_->FreedElsewhere(state, record.callsite, {record.bytes, 1});
    } else {
      books_->Freed(state, record);
    }
    return true;
  }

  static std::map<std::uint32_t, Sums> Read(FakeEnv& env) {
    std::map<std::uint32_t, Sums> live;
    const auto* const extents =
        reinterpret_cast<const heapledger::ledger::Extent*>(
            env.ledger() +
            heapledger::ledger::kExtentPage * heapledger::ledger::kPageBytes);
    for (std::uint32_t i = 0; i < heapledger::ledger::kExtentCapacity; ++i) {
      const heapledger::ledger::Extent& extent = extents[i];
      if ((extent.kind_owner & 0xff) !=
          static_cast<std::uint32_t>(
              heapledger::ledger::ExtentKind::kCounters)) {
        continue;
      }
      const auto* const cells =
          reinterpret_cast<const heapledger::ledger::CounterCell*>(
              env.ledger() +
              std::size_t{extent.page} * heapledger::ledger::kPageBytes);
      constexpr std::uint32_t kPerChunk =
          heapledger::ledger::kRecordsPerChunk<heapledger::ledger::CounterCell>;
      for (std::uint32_t n = 0; n < kPerChunk; ++n) {
        Sums& sums = live[extent.chunk * kPerChunk + n];
        sums.live_bytes += cells[n].allocated_bytes - cells[n].freed_bytes;
        sums.live_objects +=
            cells[n].allocated_objects - cells[n].freed_objects;
      }
    }
    std::erase_if(live,
                  [](const auto& entry) { return entry.second == Sums{}; });
    return live;
  }

  std::uint64_t DegradedCount(Degraded reason) {
    return books_->file().header().degraded[static_cast<int>(reason)];
  }

  FakeEnv env_;
  ObjectMap objects_;
  std::unique_ptr<ThreadPool> threads_ = std::make_unique<ThreadPool>();
  std::unique_ptr<Books<FakeEnv>> books_ = std::make_unique<Books<FakeEnv>>();
};

TEST_F(BooksTest, BooksABlockUnderItsCallsiteUntilItIsFreed) {
  ThreadState* const state = books_->Attach(*threads_);
  Allocate(state, 0x1000, 100, {1, 2, 3});
  Allocate(state, 0x2000, 50, {1, 2, 3});
  Allocate(state, 0x3000, 0, {4, 2, 3});
  EXPECT_EQ(Read(env_),
            (std::map<std::uint32_t, Sums>{{2, {150, 2}}, {3, {0, 1}}}));
  EXPECT_TRUE(Free(state, 0x1000));
  EXPECT_FALSE(Free(state, 0x1000));
  EXPECT_TRUE(Free(state, 0x2000));
  EXPECT_TRUE(Free(state, 0x3000));
  EXPECT_TRUE(Read(env_).empty());
}

TEST_F(BooksTest, BalancesABlockFreedThroughAnotherShard) {
  ThreadState* const a = books_->Attach(*threads_);
  ThreadState* const b = books_->Attach(*threads_);
  ASSERT_NE(a->shard, b->shard);
  Allocate(a, 0x1000, 100, {1});
  EXPECT_TRUE(Free(b, 0x1000));
  EXPECT_TRUE(Read(env_).empty());
}

TEST_F(BooksTest, BooksWithoutAThreadState) {
  Allocate(nullptr, 0x1000, 100, {1});
  ThreadState* const state = books_->Attach(*threads_);
  EXPECT_TRUE(Free(state, 0x1000));
  EXPECT_TRUE(Read(env_).empty());
}

TEST_F(BooksTest, BooksABlockThatVanishedWhenItsAddressIsUsedAgain) {
  ThreadState* const state = books_->Attach(*threads_);
  Allocate(state, 0x1000, 100, {1});
  Allocate(state, 0x1000, 7, {2});
  EXPECT_EQ(Read(env_), (std::map<std::uint32_t, Sums>{{3, {7, 1}}}));
  EXPECT_EQ(DegradedCount(Degraded::kUnseenFree), 1U);
}

TEST_F(BooksTest, PutsABlockBackThatTheAllocatorKept) {
  ThreadState* const state = books_->Attach(*threads_);
  Allocate(state, 0x1000, 1000, {1});
  const BlockRecord record = books_->Take(0x1000);
  EXPECT_EQ(Read(env_), (std::map<std::uint32_t, Sums>{{2, {1000, 1}}}));
  books_->PutBack(0x1000, record);
  EXPECT_TRUE(Free(state, 0x1000));
  EXPECT_TRUE(Read(env_).empty());
}

TEST_F(BooksTest, DoesNotBookWhatTheMapCannotHold) {
  ThreadState* const state = books_->Attach(*threads_);
  Allocate(state, 1ULL << 50, 100, {1});
  EXPECT_TRUE(Read(env_).empty());
  EXPECT_EQ(DegradedCount(Degraded::kUntrackedBlock), 1U);
}

TEST_F(BooksTest, GivesFurtherThreadsSharedShardsAndStaysExact) {
  std::vector<ThreadState*> states;
  for (int i = 0; i < 40; ++i) {
    states.push_back(books_->Attach(*threads_));
    Allocate(states.back(), 0x10000 + 0x100ULL * i, 10, {1});
  }
  EXPECT_EQ(Read(env_), (std::map<std::uint32_t, Sums>{{2, {400, 40}}}));
  for (int i = 0; i < 40; ++i) Free(states[39 - i], 0x10000 + 0x100ULL * i);
  EXPECT_TRUE(Read(env_).empty());
  EXPECT_EQ(DegradedCount(Degraded::kSharedShard), 20U);
}

TEST_F(BooksTest, AgreesWithAModelOverRandomTrafficOfManyCallsites) {
  std::mt19937_64 random(1);
  std::vector<ThreadState*> states = {nullptr};
  for (int i = 0; i < 6; ++i) states.push_back(books_->Attach(*threads_));
  std::map<std::uint64_t, std::uint64_t> model;
  Sums expected;
  for (int step = 0; step < 300000; ++step) {
    ThreadState* const state = states[random() % states.size()];
    const std::uint64_t address = 0x10000 + (random() % 5000) * 4096;
    const auto found = model.find(address);
    if (found != model.end()) {
      ASSERT_TRUE(Free(state, address));
      expected.live_bytes -= found->second;
      --expected.live_objects;
      model.erase(found);
    } else {
      const std::uint64_t bytes = random() % 4000;
      Allocate(state, address, bytes, {random() % 40, random() % 40, 7});
      expected.live_bytes += bytes;
      ++expected.live_objects;
      model[address] = bytes;
    }
  }
  Sums sums;
  for (const auto& [id, live] : Read(env_)) {
    sums.live_bytes += live.live_bytes;
    sums.live_objects += live.live_objects;
  }
  EXPECT_EQ(sums, expected);
  EXPECT_EQ(DegradedCount(Degraded::kLedgerFull), 0U);
}

class TinyBooksTest : public BooksTest {
 protected:
  TinyBooksTest() : BooksTest(heapledger::ledger::kFirstDataPage + 40) {}
};

TEST_F(TinyBooksTest, KeepsExactTotalsWhenTheLedgerIsFull) {
  std::vector<ThreadState*> states;
  for (int i = 0; i < 30; ++i) states.push_back(books_->Attach(*threads_));
  Sums expected;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    Allocate(states[i % 30], 0x10000 + i * 64, i % 50, {i, i + 1, i + 2});
    expected.live_bytes += i % 50;
    ++expected.live_objects;
  }
  for (std::uint64_t i = 0; i < 20000; i += 2) {
    ASSERT_TRUE(Free(states[(i + 7) % 30], 0x10000 + i * 64));
    expected.live_bytes -= i % 50;
    --expected.live_objects;
  }
  Sums sums;
  for (const auto& [id, live] : Read(env_)) {
    EXPECT_LT(live.live_objects, 1U << 30) << "negative at " << id;
    sums.live_bytes += live.live_bytes;
    sums.live_objects += live.live_objects;
  }
  EXPECT_EQ(sums, expected);
  EXPECT_GT(DegradedCount(Degraded::kLedgerFull), 0U);
}

TEST_F(BooksTest, InheritsWhatWasLiveAtAForkUnderTheSameIds) {
  ThreadState* const parent_state = books_->Attach(*threads_);
  Allocate(parent_state, 0x1000, 100, {1, 9});
  Allocate(parent_state, 0x2000, 200, {1, 9});
  Allocate(parent_state, 0x3000, 3000, {2, 9});
  Allocate(parent_state, 0x4000, 4000, {3, 9});
  Free(parent_state, 0x4000);

  FakeEnv child_env;
  auto child = std::make_unique<Books<FakeEnv>>();
  Open(*child, child_env, 512);
  std::uint64_t frames[heapledger::ledger::kMaxStackDepth];
  ASSERT_TRUE(child->Inherit(*books_, frames));
  EXPECT_EQ(Read(child_env),
            (std::map<std::uint32_t, Sums>{{2, {300, 2}}, {3, {3000, 1}}}));
  std::uint32_t flags = 0;
  EXPECT_EQ(child->callsites().Read(2, frames, 10, &flags), 2U);
  EXPECT_EQ(frames[0], 1U);
  EXPECT_EQ(frames[1], 9U);
  EXPECT_TRUE((flags & heapledger::ledger::kCallsiteInherited) != 0);
  EXPECT_EQ(child->file().header().peak_live_bytes, 3300U);

  // Freed in the child, and allocated anew at the same stack: another account.
  auto child_threads = std::make_unique<ThreadPool>();
  ThreadState* const state = child->Attach(*child_threads);
  child->Freed(state, child->Take(0x3000));
  const std::uint64_t stack[] = {2, 9};
  child->Allocated(state, 0x3000, 5, child->CallsiteOf({stack, 2, 0}));
  EXPECT_EQ(Read(child_env),
            (std::map<std::uint32_t, Sums>{{2, {300, 2}}, {512, {5, 1}}}));
  // The parent's ledger was only read.
  EXPECT_EQ(Read(env_),
            (std::map<std::uint32_t, Sums>{{2, {300, 2}}, {3, {3000, 1}}}));
}

TEST_F(BooksTest, LosesNothingWhenThreadsHandBlocksToEachOther) {
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  std::atomic<std::uint64_t> next{0x100000};
  std::atomic<std::uint64_t> slots[64] = {};
  // Leaves first: FakeEnv's bookkeeping is not made for threads.
  for (std::uint64_t at = 0; at < (1ULL << 28); at += 1 << 24) {
    ASSERT_TRUE(objects_.Cover(env_, at));
  }
  std::vector<ThreadState*> states;
  for (int i = 0; i < kThreads; ++i) {
    states.push_back(books_->Attach(*threads_));
    for (std::uint64_t n = 0; n < 16; ++n) {
      Allocate(states.back(), 0x10000, 1, {n, 5});
      Free(states.back(), 0x10000);
    }
  }
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (std::uint64_t n = 0; n < 50000; ++n) {
        const std::uint64_t address =
            next.fetch_add(0x400, std::memory_order_relaxed);
        Allocate(states[i], address, n % 1000, {n % 16, 5});
        const std::uint64_t other = slots[(n * 7 + i) % 64].exchange(address);
        if (other != 0) {
          EXPECT_TRUE(Free(states[i], other));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& slot : slots) {
    if (slot == 0) continue;
    EXPECT_TRUE(Free(states[0], slot));
  }
  EXPECT_TRUE(Read(env_).empty());
}

}  // namespace
}  // namespace heapledger::preload
