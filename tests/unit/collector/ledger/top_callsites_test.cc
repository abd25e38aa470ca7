// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/top_callsites.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace heapledger::collector {
namespace {

std::vector<CallsiteAccount> Accounts(const std::vector<std::uint64_t>& live) {
  std::vector<CallsiteAccount> accounts;
  for (std::size_t i = 0; i < live.size(); ++i) {
    HeapCounters counters;
    counters.allocated_bytes = live[i];
    counters.allocated_objects = 1;
    accounts.push_back({Fingerprint(i + 1), counters});
  }
  return accounts;
}

TEST(TopCallsitesTest, OrdersByLiveBytesAndSumsTheRest) {
  TopCallsites top(2);
  const TopSelection selection = top.Select(Accounts({5, 30, 10, 20}));
  EXPECT_EQ(selection.rows, (std::vector<std::size_t>{1, 3}));
  EXPECT_EQ(selection.other.live_bytes(), 15U);
  EXPECT_EQ(selection.other_callsites, 2U);
}

TEST(TopCallsitesTest, KeepsAMemberUntilItFallsBehindTwiceTheLimit) {
  TopCallsites top(2);
  (void)top.Select(Accounts({40, 30, 20, 10, 5}));  // 0 and 1 enter
  auto selection = top.Select(Accounts({40, 15, 20, 30, 5}));
  EXPECT_EQ(selection.rows, (std::vector<std::size_t>{0, 3, 2 - 1}))
      << "rank 4 of a member stays, rank 3 of a newcomer does not enter";
  selection = top.Select(Accounts({40, 1, 20, 30, 5}));
  EXPECT_EQ(selection.rows, (std::vector<std::size_t>{0, 3}));
  selection = top.Select(Accounts({40, 15, 20, 30, 5}));
  EXPECT_EQ(selection.rows, (std::vector<std::size_t>{0, 3}))
      << "who left must earn its place again";
}

TEST(TopCallsitesTest, BreaksTiesByFingerprint) {
  TopCallsites top(2);
  EXPECT_EQ(top.Select(Accounts({7, 7, 7, 7})).rows,
            (std::vector<std::size_t>{0, 1}));
}

TEST(TopCallsitesTest, TakesFewerThanTheLimit) {
  TopCallsites top(5);
  EXPECT_TRUE(top.Select({}).rows.empty());
  EXPECT_EQ(top.Select(Accounts({1})).rows.size(), 1U);
}

TEST(TopCallsitesTest, RowsAndOtherAlwaysAddUpToTheTotal) {
  std::mt19937_64 random(20);
  TopCallsites top(10);
  for (int round = 0; round < 500; ++round) {
    std::vector<CallsiteAccount> accounts;
    HeapCounters total;
    const std::size_t count = random() % 60;
    for (std::size_t i = 0; i < count; ++i) {
      HeapCounters c;
      c.inherited_bytes = random() % 100;
      c.allocated_bytes = random() % 10'000;
      c.freed_bytes = random() % (c.allocated_bytes + 1);
      c.inherited_objects = random() % 5;
      c.allocated_objects = random() % 100;
      c.freed_objects = random() % (c.allocated_objects + 1);
      total += c;
      accounts.push_back({Fingerprint(i), c});
    }
    const TopSelection selection = top.Select(accounts);
    HeapCounters sum = selection.other;
    std::set<std::size_t> rows(selection.rows.begin(), selection.rows.end());
    for (const std::size_t row : rows) sum += accounts[row].counters;
    ASSERT_EQ(sum, total);
    ASSERT_EQ(rows.size(), selection.rows.size()) << "no row twice";
    ASSERT_LE(rows.size(), 20U);
    ASSERT_GE(rows.size(), std::min<std::size_t>(count, 10));
    ASSERT_EQ(selection.other_callsites, count - rows.size());
  }
}

}  // namespace
}  // namespace heapledger::collector
