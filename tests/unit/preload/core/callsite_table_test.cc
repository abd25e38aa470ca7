// SPDX-License-Identifier: Apache-2.0
#include "preload/core/callsite_table.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include "tests/unit/preload/core/fake_env.h"

namespace heapledger::preload {
namespace {

class CallsiteTableTest : public ::testing::Test {
 protected:
  CallsiteTableTest() {
    file_.Open(&env_, env_.ledger(), env_.cap_bytes());
    EXPECT_TRUE(table_->Open(env_, file_, heapledger::ledger::kFirstCallsite));
  }

  std::uint32_t Intern(const std::vector<std::uint64_t>& frames,
                       std::uint32_t flags = 0) {
    const StackView stack{frames.data(),
                          static_cast<std::uint32_t>(frames.size()), flags};
    const testing::NoAllocGuard guard;
    const StackKey key = CallsiteTable::KeyOf(stack);
    const std::uint32_t known =
        table_->Find(env_, file_, key.hash, generation_);
    if (known != 0) return known;
    return table_->Add(env_, file_, generation_,
                       table_->NodeOf(env_, file_, generation_, stack), key);
  }

  void ModulesChanged() {
    ++generation_;
    table_->ModulesChanged(env_, file_);
    ++generation_;
  }

  std::vector<std::uint64_t> Read(std::uint32_t id) {
    std::vector<std::uint64_t> frames(heapledger::ledger::kMaxStackDepth);
    std::uint32_t flags = 0;
    frames.resize(table_->Read(id, frames.data(),
                               heapledger::ledger::kMaxStackDepth, &flags));
    return frames;
  }

  heapledger::ledger::Header& header() { return file_.header(); }

  // Where the first records of a kind lie in the ledger.
  std::size_t FirstExtentOf(heapledger::ledger::ExtentKind kind) {
    const auto* const extents =
        reinterpret_cast<const heapledger::ledger::Extent*>(
            env_.ledger() + 2 * heapledger::ledger::kPageBytes);
    for (std::uint32_t i = 0; i < header().extent_count; ++i) {
      if ((extents[i].kind_owner & 0xff) == static_cast<std::uint32_t>(kind)) {
        return std::size_t{extents[i].page} * heapledger::ledger::kPageBytes;
      }
    }
    return 0;
  }

  FakeEnv env_;
  std::uint32_t generation_ = 1;
  LedgerFile<FakeEnv> file_;
  std::unique_ptr<CallsiteTable> table_ = std::make_unique<CallsiteTable>();
};

TEST_F(CallsiteTableTest, GivesOneStackOneCallsite) {
  const std::uint32_t id = Intern({0x1000, 0x2000, 0x3000});
  EXPECT_GE(id, heapledger::ledger::kFirstCallsite);
  EXPECT_EQ(Intern({0x1000, 0x2000, 0x3000}), id);
  EXPECT_NE(Intern({0x1001, 0x2000, 0x3000}), id);
  EXPECT_NE(Intern({0x1000, 0x2000}), id);
}

TEST_F(CallsiteTableTest, KeepsStacksThatDifferInFlagsApart) {
  EXPECT_NE(Intern({0x1000}),
            Intern({0x1000}, heapledger::ledger::kCallsiteTruncated));
}

TEST_F(CallsiteTableTest, KeepsOneStackUnderTwoTagsApart) {
  const std::uint32_t none = Intern({0x1000});
  const std::uint32_t first = Intern({0x1000}, TagBits(2));
  const std::uint32_t second = Intern({0x1000}, TagBits(3));
  EXPECT_NE(first, none);
  EXPECT_NE(first, second);
  EXPECT_EQ(Intern({0x1000}, TagBits(2)), first);
  EXPECT_EQ(Read(first), Read(none));
  std::uint64_t frame = 0;
  std::uint32_t flags = 0;
  table_->Read(second, &frame, 1, &flags);
  EXPECT_EQ(flags, TagBits(3));
}

TEST_F(CallsiteTableTest, ReadsBackWhatItInterned) {
  const std::vector<std::uint64_t> frames = {
      0x1000, 0x2000 | StackView::kExactPc, 0x3000};
  EXPECT_EQ(Read(Intern(frames)), frames);
}

TEST_F(CallsiteTableTest, NotesWhenACallsiteWasFirstSeen) {
  env_.now_ns = 70;
  const std::uint32_t id = Intern({0x1000});
  env_.now_ns = 80;
  Intern({0x1000});
  const auto* const records =
      reinterpret_cast<const heapledger::ledger::CallsiteRecord*>(
          env_.ledger() +
          FirstExtentOf(heapledger::ledger::ExtentKind::kCallsites));
  EXPECT_EQ(records[id].first_seen_monotonic_ns, 70U);
}

TEST_F(CallsiteTableTest, SharesTheOuterPartOfStacks) {
  Intern({1, 100, 200, 300});
  const std::uint32_t nodes = header().node_end;
  Intern({2, 100, 200, 300});
  EXPECT_EQ(header().node_end, nodes + 1);
}

// Two branches taken in turn, as by a loop that parses and then evaluates.
TEST_F(CallsiteTableTest, SharesTheOuterPartOfStacksOfTwoBranches) {
  std::vector<std::uint64_t> branches[2];
  for (std::uint64_t i = 1; i <= 60; ++i) {
    branches[0].push_back(i * 0x10);
    branches[1].push_back(i * 0x10 + 0x10000);
  }
  Intern(branches[0]);
  Intern(branches[1]);
  const std::uint32_t nodes = header().node_end;
  for (std::uint64_t i = 0; i < 100; ++i) {
    branches[i % 2][0] = 0x100000 + i;
    Intern(branches[i % 2]);
  }
  // One for each stack, and a few again: hints get lost. Else it were 5,900.
  EXPECT_LT(header().node_end, nodes + 200);
}

TEST_F(CallsiteTableTest, RecordsAFrameOnceHoweverManyStacksHoldIt) {
  env_.modules.push_back({0x100000, 0x200000, 7});
  for (std::uint64_t i = 0; i < 5000; ++i) Intern({0x1000 + i, 0x100010});
  EXPECT_EQ(header().frame_end, 5002U);
}

TEST_F(CallsiteTableTest, HoldsAHundredThousandStacks) {
  std::set<std::uint32_t> ids;
  for (std::uint64_t i = 0; i < 100000; ++i) {
    ids.insert(Intern({i % 977, i % 1009 + 0x10000, i + 0x20000, 5}));
  }
  EXPECT_EQ(ids.size(), 100000U);
  EXPECT_EQ(*ids.rbegin(), 100001U);
  EXPECT_EQ(Intern({1, 1 + 0x10000, 1 + 0x20000, 5}), 3U);
}

TEST_F(CallsiteTableTest,
       GivesCodeOfAnotherModuleAtTheSameAddressAnotherFrame) {
  env_.modules.push_back({0x100000, 0x200000, 7});
  const std::uint32_t first = Intern({0x100010});
  env_.modules[0] = {0x100000, 0x180000, 8};
  ModulesChanged();
  const std::uint32_t second = Intern({0x100010});
  EXPECT_NE(first, second);
}

TEST_F(CallsiteTableTest, FindsItsCallsitesAgainWhenAModuleComesBack) {
  env_.modules.push_back({0x100000, 0x200000, 7});
  const std::uint32_t first = Intern({0x100010});
  for (int round = 0; round < 50; ++round) {
    env_.modules.clear();
    ModulesChanged();
    env_.modules.push_back({0x100000, 0x200000, 8});
    EXPECT_EQ(Intern({0x100010}), first) << round;
  }
}

TEST_F(CallsiteTableTest, AsksAboutAStackOnceAfterModulesChanged) {
  env_.modules.push_back({0x100000, 0x200000, 7});
  env_.modules.push_back({0x300000, 0x400000, 8});
  const std::uint32_t both = Intern({0x100010, 0x300010});
  const std::uint32_t one = Intern({0x100010});
  env_.modules.pop_back();
  ModulesChanged();
  EXPECT_EQ(Intern({0x100010}), one);
  env_.modules.push_back({0x300000, 0x400000, 9});
  const std::uint32_t nodes = header().node_end;
  EXPECT_EQ(Intern({0x100010, 0x300010}), both);
  EXPECT_EQ(header().node_end, nodes);
}

TEST_F(CallsiteTableTest, GoesToTheOverflowCallsiteWhenTheLedgerIsFull) {
  env_.room_pages = heapledger::ledger::kFirstDataPage + 60;
  std::uint32_t overflowed = 0;
  for (std::uint64_t i = 0; i < 100000; ++i) {
    if (Intern({i, i + 1, i + 2}) == heapledger::ledger::kOverflowCallsite) {
      ++overflowed;
    }
  }
  EXPECT_GT(overflowed, 90000U);
  EXPECT_GT(header().degraded[static_cast<int>(
                heapledger::ledger::Degraded::kLedgerFull)],
            0U);
  // Known stacks stay known, and the kernel was not asked each time.
  EXPECT_EQ(Intern({0, 1, 2}), heapledger::ledger::kFirstCallsite);
  EXPECT_LT(env_.populate_calls, 1000U);
}

}  // namespace
}  // namespace heapledger::preload
