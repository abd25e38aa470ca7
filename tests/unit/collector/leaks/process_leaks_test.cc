// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/process_leaks.h"

#include <gtest/gtest.h>

#include "collector/leaks/host_leaks.h"
#include "tests/unit/collector/ledger/fake_names.h"

namespace heapledger::collector {
namespace {

using testing::FakeNames;
using testing::SnapshotMaker;

constexpr std::uint64_t kBegin = 1'048'576 * kSecondNs;

void Keep(HeapCounters& counters, std::uint64_t blocks, std::uint64_t bytes) {
  counters.allocated_objects += blocks;
  counters.allocated_bytes += blocks * bytes;
}

class ProcessLeaksTest : public ::testing::Test {
 protected:
  // One sample.
  std::shared_ptr<const ProcessLeakView> Next() {
    snapshot_ = maker_.At(kBegin + second_++ * kSecondNs);
    (void)account_.Update(snapshot_);
    return leaks_.Update(account_, snapshot_, names_);
  }

  SnapshotMaker maker_;
  FakeNames names_;
  LeakOptions options_;
  ProcessAccount account_{{}, &names_};
  ProcessLeaks leaks_{options_};
  std::shared_ptr<const LedgerSnapshot> snapshot_;
  std::uint64_t second_ = 0;
};

TEST_F(ProcessLeaksTest, NamesTheOneThatLeaksWithItsEvidence) {
  const auto table = maker_.AddCallsite({1, 100});
  const auto leak = maker_.AddCallsite({2, 100});
  const auto swing = maker_.AddCallsite({3, 100});
  Keep(maker_.counters(table), 1000, 4096);
  std::shared_ptr<const ProcessLeakView> view;
  std::uint64_t named = 0;
  for (std::uint64_t t = 0; t < 300; ++t) {
    Keep(maker_.counters(leak), 1, 64);
    HeapCounters& swings = maker_.counters(swing);
    Keep(swings, 10, 1000);
    if (t % 20 == 0) {
      swings.freed_objects = swings.allocated_objects;
      swings.freed_bytes = swings.allocated_bytes;
    }
    view = Next();
    if (named == 0 && !view->suspects.empty()) named = t;
  }
  EXPECT_LE(named, 240U);
  EXPECT_EQ(view->watched, 2U) << "the table never rose";
  EXPECT_EQ(view->looked_ns, 299 * kSecondNs);
  ASSERT_EQ(view->suspects.size(), 1U);
  const Suspect& suspect = view->suspects[0];
  EXPECT_EQ(suspect.callsite.name.function, "f2");
  EXPECT_EQ(suspect.callsite.counters.live_objects(), 300U);
  EXPECT_EQ(suspect.state, SuspectState::kNew);
  EXPECT_NEAR(suspect.growth->bytes_per_second, 64, 0.1);
  ASSERT_TRUE(suspect.age);
  EXPECT_EQ(suspect.age->freed_objects, 0U);
  EXPECT_EQ(suspect.named_monotonic_ns, kBegin + named * kSecondNs);
  const auto acquitted = leaks_.Acquittals(account_, *snapshot_);
  EXPECT_TRUE(std::ranges::none_of(acquitted, [](const Acquitted& a) {
    return a.callsite.name.function == "f2";
  }));
}

TEST_F(ProcessLeaksTest, FindsASmallLeakAmongAThousandLargeTables) {
  for (std::uint64_t pc = 1; pc <= 1000; ++pc) {
    Keep(maker_.counters(maker_.AddCallsite({pc})), 10, 1 << 20);
  }
  const auto leak = maker_.AddCallsite({5000});
  std::shared_ptr<const ProcessLeakView> view;
  for (int t = 0; t < 300; ++t) {
    Keep(maker_.counters(leak), 1, 32);
    view = Next();
  }
  ASSERT_EQ(view->suspects.size(), 1U);
  EXPECT_EQ(view->suspects[0].callsite.name.function, "f5000");
}

TEST_F(ProcessLeaksTest, FindsItAmongTablesThatWereBuiltUpMeanwhileToo) {
  (void)Next();
  for (std::uint64_t pc = 1; pc <= 1000; ++pc) {
    Keep(maker_.counters(maker_.AddCallsite({pc})), 10, 1 << 20);
  }
  const auto leak = maker_.AddCallsite({5000});
  std::shared_ptr<const ProcessLeakView> view;
  bool named = false;
  // Two epochs until the tables count as old, then the usual minutes.
  for (int t = 0; t < 1800 && !named; ++t) {
    Keep(maker_.counters(leak), 1, 32);
    view = Next();
    EXPECT_LE(view->watched, options_.watch_limit);
    named = !view->suspects.empty();
  }
  ASSERT_TRUE(named);
  EXPECT_EQ(view->suspects[0].callsite.name.function, "f5000");
}

TEST_F(ProcessLeaksTest, ForecastsFromTheHeadroomOfTheProcess) {
  // 300 MB, of which 100 kB a second are used up.
  const auto leak = maker_.AddCallsite({2});
  options_.headroom = [&](std::uint32_t) {
    return std::optional<std::uint64_t>(300'000'000 -
                                        maker_.counters(leak).live_bytes());
  };
  std::shared_ptr<const ProcessLeakView> view;
  for (int t = 0; t < 1700; ++t) {
    Keep(maker_.counters(leak), 1, 100'000);
    view = Next();
  }
  ASSERT_TRUE(view->trend.growth);
  EXPECT_NEAR(view->trend.growth->bytes_per_second, 100'000, 100);
  ASSERT_TRUE(view->trend.exhaustion_seconds);
  EXPECT_NEAR(*view->trend.exhaustion_seconds, 1300, 20);
  EXPECT_GT(view->trend.score, 0.1);
}

TEST(HostLeaksTest, KeepsWhatRunsAndForgetsTheRest) {
  SnapshotMaker maker;
  FakeNames names;
  HostAccounts accounts({}, &names);
  HostLeaks leaks{LeakOptions()};
  EXPECT_TRUE(leaks.view()->empty());
  const auto leak = maker.AddCallsite({7});
  const auto sample = [&](std::uint64_t t, ProcessState state) {
    Keep(maker.counters(leak), 10, 64);
    auto snapshot =
        std::make_shared<LedgerSnapshot>(*maker.At(kBegin + t * kSecondNs));
    snapshot->state = state;
    HostSnapshot host;
    host.ledgers = {snapshot};
    (void)accounts.Update(host);
    leaks.Update(accounts, names);
  };
  for (std::uint64_t t = 0; t < 300; ++t) sample(t, ProcessState::kLive);
  ASSERT_EQ(leaks.view()->size(), 1U);
  EXPECT_EQ(leaks.view()->begin()->second->suspects.size(), 1U);
  sample(300, ProcessState::kKilled);
  EXPECT_TRUE(leaks.view()->empty());
}

TEST_F(ProcessLeaksTest, NamesWhatAScanFoundWhetherItGrowsOrNot) {
  const auto table = maker_.AddCallsite({1, 100});
  const auto lost = maker_.AddCallsite({2, 100});
  Keep(maker_.counters(table), 1000, 4096);
  Keep(maker_.counters(lost), 3, 64);
  EXPECT_TRUE(Next()->suspects.empty());
  const auto scanned = [&](std::uint32_t round, ScanState state) {
    auto snapshot = std::make_shared<LedgerSnapshot>(
        *maker_.At(kBegin + second_++ * kSecondNs));
    snapshot->live_scan.state = state;
    snapshot->live_scan.round = round;
    if (state == ScanState::kComplete && round == 2) {
      snapshot->live_scan.leaks = {{lost, {128, 2, 64, 1}}};
    }
    (void)account_.Update(snapshot);
    return leaks_.Update(account_, snapshot, names_);
  };
  auto view = scanned(2, ScanState::kComplete);
  EXPECT_TRUE(view->scanned);
  ASSERT_EQ(view->suspects.size(), 1U);
  EXPECT_FALSE(view->suspects[0].growth);
  ASSERT_TRUE(view->suspects[0].unreachable);
  EXPECT_EQ(view->suspects[0].unreachable->bytes(), 192U);
  EXPECT_EQ(view->suspects[0].unreachable->objects(), 3U);
  // The last result stands while the next one is made, and until it is there.
  EXPECT_EQ(scanned(2, ScanState::kRunning)->suspects.size(), 1U);
  EXPECT_TRUE(scanned(4, ScanState::kComplete)->suspects.empty());
}

}  // namespace
}  // namespace heapledger::collector
