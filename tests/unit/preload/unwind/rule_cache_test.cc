// SPDX-License-Identifier: Apache-2.0
#include "preload/unwind/rule_cache.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace heapledger::preload::unwind {
namespace {

UnwindRule Frame(std::int32_t cfa_offset) {
  UnwindRule rule = UnwindRule::Of(RuleKind::kOffset);
  rule.cfa_offset = cfa_offset;
  return rule;
}

class RuleCacheTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kEntries = 8192;
  static constexpr std::uint32_t kSlots = 64;

  RuleCacheTest()
      : entries_(new RuleCache::Entry[kEntries]()),
        slots_(new RuleDictionary::Slot[kSlots]()) {
    cache_.Attach(entries_.get(), kEntries, slots_.get(), kSlots);
  }

  void Insert(std::uint64_t pc, const UnwindRule& rule) {
    cache_.Insert(pc, rule, cache_.generation());
  }

  std::unique_ptr<RuleCache::Entry[]> entries_;
  std::unique_ptr<RuleDictionary::Slot[]> slots_;
  RuleCache cache_;
};

TEST_F(RuleCacheTest, WithoutMemoryItFindsNothingAndForgets) {
  RuleCache empty;
  empty.Insert(0x1000, Frame(16), 0);
  EXPECT_EQ(empty.Find(0x1000), kNoRuleCode);
  empty.Clear();
}

TEST_F(RuleCacheTest, FindsCommonAndUncommonRules) {
  UnwindRule realigned = UnwindRule::Of(RuleKind::kDeref);
  realigned.base = kDwarfRbp;
  realigned.cfa_offset = -8;
  realigned.rbp = RbpRule::kSavedAtRbp;
  Insert(0x7f0000001000, Frame(16));
  Insert(0x7f0000001001, Frame(1 << 20));
  Insert(0x7f0000001002, realigned);
  Insert(0x7f0000001003, UnwindRule::Of(RuleKind::kSignalFrame));
  EXPECT_EQ(cache_.RuleOf(cache_.Find(0x7f0000001000)), Frame(16));
  EXPECT_EQ(cache_.RuleOf(cache_.Find(0x7f0000001001)), Frame(1 << 20));
  EXPECT_EQ(cache_.RuleOf(cache_.Find(0x7f0000001002)), realigned);
  EXPECT_EQ(cache_.RuleOf(cache_.Find(0x7f0000001003)),
            UnwindRule::Of(RuleKind::kSignalFrame));
  EXPECT_EQ(cache_.Find(0x7f0000001004), kNoRuleCode);
}

TEST_F(RuleCacheTest, UsesFewEntriesAtFirstAndGrowsWithWhatItHolds) {
  EXPECT_EQ(cache_.used_entries(), RuleCache::kInitialEntries);
  for (std::uint64_t i = 0; i < 2000; ++i) {
    Insert(0x400000 + i * 7, Frame(8 * static_cast<std::int32_t>(i % 500 + 1)));
  }
  EXPECT_EQ(cache_.used_entries(), 4096U);
  std::uint32_t found = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const RuleCode code = cache_.Find(0x400000 + i * 7);
    if (code == kNoRuleCode) continue;
    ++found;
    EXPECT_EQ(cache_.RuleOf(code).cfa_offset,
              8 * static_cast<std::int32_t>(i % 500 + 1));
  }
  EXPECT_GT(found, 1990U);  // a full set loses one now and then
}

TEST_F(RuleCacheTest, AFullTableReplacesAndNeverAnswersWrong) {
  for (std::uint64_t i = 1; i < 100000; ++i) {
    Insert(i * 3, Frame(8 * static_cast<std::int32_t>(i % 511 + 1)));
  }
  EXPECT_EQ(cache_.used_entries(), kEntries);
  for (std::uint64_t i = 1; i < 100000; ++i) {
    const RuleCode code = cache_.Find(i * 3);
    if (code == kNoRuleCode) continue;
    ASSERT_EQ(cache_.RuleOf(code).cfa_offset,
              8 * static_cast<std::int32_t>(i % 511 + 1));
  }
}

TEST_F(RuleCacheTest, AFullDictionaryLeavesRulesUncached) {
  for (std::int32_t i = 0; i < 200; ++i) {
    Insert(0x1000 + static_cast<std::uint64_t>(i), Frame(8192 + 8 * i));
  }
  std::uint32_t cached = 0;
  for (std::int32_t i = 0; i < 200; ++i) {
    const RuleCode code = cache_.Find(0x1000 + static_cast<std::uint64_t>(i));
    if (code == kNoRuleCode) continue;
    ++cached;
    EXPECT_EQ(cache_.RuleOf(code), Frame(8192 + 8 * i));
  }
  EXPECT_GT(cached, 0U);
  EXPECT_LE(cached, kSlots);
}

TEST_F(RuleCacheTest, ClearForgetsEveryPc) {
  Insert(0x1000, Frame(16));
  Insert(0x2000, Frame(1 << 20));
  cache_.Clear();
  EXPECT_EQ(cache_.Find(0x1000), kNoRuleCode);
  EXPECT_EQ(cache_.Find(0x2000), kNoRuleCode);
}

TEST_F(RuleCacheTest, AnInsertionThatOverlapsAClearTakesItselfBack) {
  const std::uint32_t before = cache_.generation();
  cache_.Clear();
  cache_.Insert(0x1000, Frame(16), before);
  EXPECT_EQ(cache_.Find(0x1000), kNoRuleCode);
}

TEST_F(RuleCacheTest, ThreadsSeeWholeRulesOnly) {
  constexpr std::uint64_t kPcs = 3000;
  const auto rule_of = [](std::uint64_t pc) {
    return Frame(8 * static_cast<std::int32_t>(pc % 600 + 1));
  };
  std::vector<std::thread> threads;
  std::atomic<std::uint32_t> wrong{0};
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 4 * kPcs; ++i) {
        const std::uint64_t pc = 1 + (i * 17 + t * 101) % kPcs;
        const RuleCode code = cache_.Find(pc);
        if (code == kNoRuleCode) {
          cache_.Insert(pc, rule_of(pc), cache_.generation());
        } else if (cache_.RuleOf(code) != rule_of(pc)) {
          wrong.fetch_add(1);
        }
        if (t == 0 && i % kPcs == kPcs - 1) cache_.Clear();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0U);
}

}  // namespace
}  // namespace heapledger::preload::unwind
