// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/tag_accounts.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/collector/ledger/fake_names.h"

namespace heapledger::collector {
namespace {

using testing::SnapshotMaker;

HeapCounters Live(std::uint64_t bytes) {
  HeapCounters counters;
  counters.allocated_bytes = bytes;
  counters.allocated_objects = 1;
  return counters;
}

HeapCounters SumOf(const std::vector<TagAccount>& accounts) {
  HeapCounters sum;
  for (const TagAccount& account : accounts) sum += account.counters;
  return sum;
}

TEST(AccountsByTagTest, AProcessWithoutTagsHasNone) {
  SnapshotMaker maker;
  maker.counters(maker.AddCallsite({1})) = Live(5);
  EXPECT_TRUE(AccountsByTag(*maker.At(1)).empty());
}

TEST(AccountsByTagTest, AddsUpByTextAndToTheTotals) {
  SnapshotMaker maker;
  maker.tables().tags = {{"a", {}}, {"b", {{"b", "1"}}}, {"a", {}}};
  for (std::uint32_t i = 0; i < 6; ++i) {
    const auto callsite = maker.AddCallsite({i});
    maker.counters(callsite) = Live(std::uint64_t{1} << i);
    // The last two have none, and one that is not there.
    maker.callsite(callsite).tag = i < 4 ? i % 3 : i == 4 ? kUntagged : 99;
  }
  auto snapshot = std::make_shared<LedgerSnapshot>(*maker.At(1));
  snapshot->scopes = {{5, 1}, {}, {2, 2}};
  const auto accounts = AccountsByTag(*snapshot);
  ASSERT_EQ(accounts.size(), 3U);
  EXPECT_EQ(accounts[0].tag.Text(), kUntaggedName);
  EXPECT_EQ(accounts[0].counters.live_bytes(), 16U + 32U);
  EXPECT_EQ(accounts[1].tag.Text(), "a");
  EXPECT_EQ(accounts[1].counters.live_bytes(), 1U + 4U + 8U);
  EXPECT_EQ(accounts[1].scopes, (ScopeCounts{7, 3}));
  EXPECT_EQ(accounts[1].scopes.open(), 4U);
  EXPECT_EQ(accounts[2].tag.Text(), "b=1");
  EXPECT_EQ(SumOf(accounts), snapshot->totals);
}

TEST(AccountsByTagTest, WhatFoundNoCallsiteIsOfNobodyKnowsWhichTag) {
  SnapshotMaker maker;
  maker.tables().tags = {{"a", {}}};
  const auto overflow = maker.AddCallsite({});
  maker.callsite(overflow).overflow = true;
  EXPECT_EQ(AccountsByTag(*maker.At(1)).size(), 2U);
  maker.counters(overflow) = Live(9);
  const auto accounts = AccountsByTag(*maker.At(1));
  ASSERT_EQ(accounts.size(), 3U);
  EXPECT_EQ(accounts[0].tag.Text(), kOtherTagName);
  EXPECT_EQ(accounts[0].counters.live_bytes(), 9U);
}

TEST(TopTagsTest, ShowsTheLargestAndSumsTheRest) {
  SnapshotMaker maker;
  for (std::uint32_t i = 0; i < 10; ++i) {
    maker.tables().tags.push_back({"t" + std::to_string(i), {}});
    const auto callsite = maker.AddCallsite({i});
    maker.callsite(callsite).tag = i;
    maker.counters(callsite) = Live(std::uint64_t{1} << i);
  }
  maker.counters(maker.AddCallsite({77})) = Live(1 << 20);
  const auto snapshot = maker.At(1);
  const auto accounts = AccountsByTag(*snapshot);
  TopTags top(3);
  const auto selection = top.Select(accounts);
  // And what has no tag.
  ASSERT_EQ(selection.rows.size(), 4U);
  EXPECT_EQ(selection.other_tags, 7U);
  EXPECT_EQ(selection.other.tag.name, kOtherTagName);
  EXPECT_EQ(selection.other.counters.live_bytes(), (1U << 7) - 1);
  HeapCounters sum = selection.other.counters;
  for (const std::size_t row : selection.rows) sum += accounts[row].counters;
  EXPECT_EQ(sum, snapshot->totals);
}

TEST(TagInfoTest, HasATextThatAPersonWouldWrite) {
  EXPECT_EQ((TagInfo{"cache", {}}).Text(), "cache");
  EXPECT_EQ((TagInfo{"tenant", {{"tenant", "acme"}}}).Text(), "tenant=acme");
  EXPECT_EQ((TagInfo{"request", {{"tenant", "acme"}}}).Text(),
            "request{tenant=acme}");
  EXPECT_EQ((TagInfo{"r", {{"a", "1"}, {"b", "2"}}}).Text(), "r{a=1,b=2}");
}

}  // namespace
}  // namespace heapledger::collector
