// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/process_account.h"

#include <gtest/gtest.h>

#include "collector/ledger/host_accounts.h"
#include "tests/unit/collector/ledger/fake_names.h"

namespace heapledger::collector {
namespace {

using testing::FakeNames;
using testing::SnapshotMaker;

HeapCounters SumOf(const ProcessView& view) {
  HeapCounters sum = view.other;
  for (const CallsiteView& row : view.top) sum += row.counters;
  return sum;
}

TEST(ProcessAccountTest, AddsCallsitesOfOneFingerprintUp) {
  SnapshotMaker maker;
  FakeNames names;
  ResolvedFrame f;
  f.linkage_name = f.function = "f";
  names.by_pc[1] = {f};
  names.by_pc[2] = {f};  // another line of f
  maker.counters(maker.AddCallsite({1})).allocated_bytes = 10;
  maker.counters(maker.AddCallsite({2})).allocated_bytes = 30;
  maker.counters(maker.AddCallsite({3})).allocated_bytes = 5;
  ProcessAccount account({}, &names);
  const auto view = account.Update(maker.At(1));
  ASSERT_EQ(view->top.size(), 2U);
  EXPECT_EQ(view->callsites, 2U);
  EXPECT_EQ(view->top[0].counters.live_bytes(), 40U);
  EXPECT_EQ(view->top[0].callsites, (std::vector<std::uint32_t>{1, 0}));
  EXPECT_EQ(view->top[0].name.function, "f");
}

TEST(ProcessAccountTest, TopAndOtherAddUpToTheTotals) {
  SnapshotMaker maker;
  FakeNames names;
  for (std::uint64_t pc = 1; pc <= 50; ++pc) {
    HeapCounters& c = maker.counters(maker.AddCallsite({pc, 1000}));
    c.allocated_bytes = pc * 100;
    c.allocated_objects = pc;
    c.freed_bytes = pc;
    c.inherited_bytes = pc % 3;
  }
  ProcessAccount account({.top_limit = 7, .history_limit = 3}, &names);
  for (std::uint64_t t = 1; t < 20; ++t) {
    maker.counters(static_cast<std::uint32_t>(t)).allocated_bytes += 9'000;
    const auto snapshot = maker.At(t * kSecondNs);
    const auto view = account.Update(snapshot);
    EXPECT_EQ(SumOf(*view), snapshot->totals);
    EXPECT_EQ(view->top.size() + view->other_callsites, 50U);
  }
}

TEST(ProcessAccountTest, ResolvesAFrameOnce) {
  SnapshotMaker maker;
  FakeNames names;
  maker.counters(maker.AddCallsite({1, 2, 3})).allocated_bytes = 10;
  ProcessAccount account({}, &names);
  (void)account.Update(maker.At(1));
  const int lookups = names.lookups;
  (void)account.Update(maker.At(2));
  EXPECT_EQ(names.lookups, lookups);
}

TEST(ProcessAccountTest, TellsHowFastTheProcessAndACallsiteGrow) {
  SnapshotMaker maker;
  FakeNames names;
  const auto leak = maker.AddCallsite({1});
  const auto flat = maker.AddCallsite({2});
  maker.counters(flat).allocated_bytes = 1'000'000;
  ProcessAccount account({}, &names);
  std::shared_ptr<const ProcessView> view;
  for (std::uint64_t t = 1; t <= 60; ++t) {
    maker.counters(leak).allocated_bytes = t * 256;
    view = account.Update(maker.At(t * kSecondNs));
  }
  ASSERT_TRUE(view->growth[0]);
  EXPECT_NEAR(*view->growth[0], 256, 1);
  ASSERT_EQ(view->top.size(), 2U);
  EXPECT_NEAR(*view->top[0].growth[0], 0, 1e-9);
  EXPECT_NEAR(*view->top[1].growth[0], 256, 1);
  EXPECT_FALSE(view->growth[2]);
}

TEST(ProcessAccountTest, GivesTheOverflowCallsiteItsOwnFingerprint) {
  SnapshotMaker maker;
  FakeNames names;
  const auto overflow = maker.AddCallsite({});
  maker.callsite(overflow).overflow = true;
  maker.counters(overflow).allocated_bytes = 1;
  maker.counters(maker.AddCallsite({})).allocated_bytes = 2;
  ProcessAccount account({}, &names);
  const auto view = account.Update(maker.At(1));
  ASSERT_EQ(view->top.size(), 2U);
  EXPECT_EQ(view->top[1].fingerprint, OverflowFingerprint());
  EXPECT_TRUE(view->top[1].overflow);
}

TEST(ProcessAccountTest, KeepsACutCallsiteApartFromTheWholeOne) {
  SnapshotMaker maker;
  FakeNames names;
  const auto cut = maker.AddCallsite({1, 2});
  maker.callsite(cut).cut = true;
  maker.counters(cut).allocated_bytes = 1;
  maker.counters(maker.AddCallsite({1, 2})).allocated_bytes = 2;
  ProcessAccount account({}, &names);
  const auto view = account.Update(maker.At(1));
  ASSERT_EQ(view->top.size(), 2U);
  EXPECT_FALSE(view->top[0].cut);
  EXPECT_TRUE(view->top[1].cut);
  EXPECT_EQ(SumOf(*view), view->snapshot->totals);
}

TEST(HostAccountsTest, ForgetsAProcessThatIsGoneAndKeepsAnUnchangedView) {
  SnapshotMaker maker;
  FakeNames names;
  maker.counters(maker.AddCallsite({1})).allocated_bytes = 10;
  HostAccounts accounts({}, &names);
  EXPECT_TRUE(accounts.view()->processes.empty());
  HostSnapshot host;
  host.ledgers = {maker.At(1)};
  const auto first = accounts.Update(host);
  const auto second = accounts.Update(host);
  ASSERT_EQ(second->processes.size(), 1U);
  EXPECT_EQ(first->processes[0], second->processes[0]);
  host.ledgers.clear();
  EXPECT_TRUE(accounts.Update(host)->processes.empty());
  EXPECT_TRUE(accounts.view()->processes.empty());
}

}  // namespace
}  // namespace heapledger::collector
