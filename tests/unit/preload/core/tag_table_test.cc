// SPDX-License-Identifier: Apache-2.0
#include "preload/core/tag_table.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/preload/core/fake_env.h"

namespace heapledger::preload {
namespace {

using heapledger::ledger::Degraded;
using heapledger::ledger::ExtentKind;
using heapledger::ledger::kMaxTags;
using heapledger::ledger::TagRecord;

class TagTableTest : public ::testing::Test {
 protected:
  TagTableTest() {
    file_.Open(&env_, env_.ledger(), env_.cap_bytes());
    table_->Open();
  }

  std::uint32_t Tag(const char* name,
                    const std::vector<TagText::Label>& labels = {}) {
    const testing::NoAllocGuard guard;
    return table_->IdOf(file_, {name, labels.data(), labels.size()});
  }

  // As the ledger has it.
  const TagRecord& Record(std::uint32_t id) {
    constexpr std::uint32_t kPerChunk =
        heapledger::ledger::kRecordsPerChunk<TagRecord>;
    const auto* const extents =
        reinterpret_cast<const heapledger::ledger::Extent*>(
            env_.ledger() +
            heapledger::ledger::kExtentPage * heapledger::ledger::kPageBytes);
    for (std::uint32_t i = 0; i < file_.header().extent_count; ++i) {
      if (extents[i].kind_owner ==
              static_cast<std::uint32_t>(ExtentKind::kTags) &&
          extents[i].chunk == id / kPerChunk) {
        return reinterpret_cast<const TagRecord*>(
            env_.ledger() + std::size_t{extents[i].page} *
                                heapledger::ledger::kPageBytes)[id % kPerChunk];
      }
    }
    ADD_FAILURE() << "no record " << id;
    static const TagRecord none = {};
    return none;
  }

  std::uint64_t Count(Degraded reason) {
    return file_.header().degraded[static_cast<std::uint32_t>(reason)];
  }

  FakeEnv env_;
  LedgerFile<FakeEnv> file_;
  std::unique_ptr<TagTable> table_ = std::make_unique<TagTable>();
};

TEST_F(TagTableTest, OneTextIsOneTag) {
  const std::uint32_t acme = Tag("tenant", {{"tenant", "acme"}});
  EXPECT_GE(acme, heapledger::ledger::kFirstTag);
  EXPECT_EQ(Tag("tenant", {{"tenant", "acme"}}), acme);
  EXPECT_NE(Tag("tenant", {{"tenant", "other"}}), acme);
  EXPECT_NE(Tag("tenant", {{"tier", "acme"}}), acme);
  EXPECT_NE(Tag("tenant"), acme);
  EXPECT_EQ(std::string(Record(acme).name), "tenant");
  EXPECT_EQ(Record(acme).label_count, 1U);
  EXPECT_EQ(std::string(Record(acme).labels[0].value), "acme");
  EXPECT_EQ(Record(acme).published, 1U);
}

TEST_F(TagTableTest, NoNameIsNoTag) {
  EXPECT_EQ(Tag(nullptr), heapledger::ledger::kNoTag);
  EXPECT_EQ(Tag("", {{"a", "b"}}), heapledger::ledger::kNoTag);
}

TEST_F(TagTableTest, TellsTextsByWhereTheyEnd) {
  EXPECT_NE(Tag("ab", {{"c", ""}}), Tag("a", {{"bc", ""}}));
  EXPECT_NE(Tag("a", {{"b", "cd"}}), Tag("a", {{"bc", "d"}}));
}

TEST_F(TagTableTest, CutsWhatIsTooLongAndSaysSo) {
  const std::string longest(64, 'n');
  const std::uint32_t fits = Tag(longest.c_str());
  EXPECT_EQ(Count(Degraded::kTagCut), 0U);
  EXPECT_EQ(Tag((longest + "more").c_str()), fits);
  EXPECT_EQ(Count(Degraded::kTagCut), 1U);
  EXPECT_EQ(std::strncmp(Record(fits).name, longest.c_str(), 64), 0);
  const std::uint32_t four =
      Tag("t", {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}, {"e", "5"}});
  EXPECT_EQ(Count(Degraded::kTagCut), 2U);
  EXPECT_EQ(Record(four).label_count, 4U);
}

TEST_F(TagTableTest, LabelsWithoutAKeyAreNone) {
  EXPECT_EQ(Tag("t", {{nullptr, "x"}, {"", "y"}, {"k", nullptr}}),
            Tag("t", {{"k", ""}}));
}

TEST_F(TagTableTest, WhatIsBeyondTheMostIsOther) {
  std::uint32_t last = 0;
  for (std::uint32_t i = heapledger::ledger::kFirstTag; i < kMaxTags; ++i) {
    last = Tag(("t" + std::to_string(i)).c_str());
    ASSERT_EQ(last, i);
  }
  EXPECT_EQ(Count(Degraded::kTagsFull), 0U);
  EXPECT_EQ(Tag("one more"), heapledger::ledger::kOtherTag);
  EXPECT_EQ(Tag("one more"), heapledger::ledger::kOtherTag);
  EXPECT_EQ(Count(Degraded::kTagsFull), 2U);
  EXPECT_EQ(Tag(("t" + std::to_string(last)).c_str()), last);
}

TEST_F(TagTableTest, AForkedChildKeepsTheIds) {
  const std::uint32_t first = Tag("first");
  const std::uint32_t second = Tag("second", {{"k", "v"}});
  FakeEnv env;
  LedgerFile<FakeEnv> file;
  file.Open(&env, env.ledger(), env.cap_bytes());
  const auto child = std::make_unique<TagTable>();
  child->Open();
  child->Inherit(file, *table_);
  const TagText::Label label{"k", "v"};
  EXPECT_EQ(child->IdOf(file, {"second", &label, 1}), second);
  EXPECT_EQ(child->IdOf(file, {"first", nullptr, 0}), first);
  EXPECT_EQ(child->IdOf(file, {"third", nullptr, 0}), second + 1);
}

TEST_F(TagTableTest, ThreadsAgreeOnOneId) {
  constexpr int kThreads = 8;
  constexpr int kNames = 200;
  std::vector<std::vector<std::uint32_t>> ids(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, &mine = ids[t]] {
      for (int i = 0; i < kNames; ++i) {
        const std::string name = "t" + std::to_string(i);
        mine.push_back(table_->IdOf(file_, {name.c_str(), nullptr, 0}));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : ids) EXPECT_EQ(mine, ids[0]);
}

}  // namespace
}  // namespace heapledger::preload
