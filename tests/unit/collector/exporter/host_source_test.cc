// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/host_source.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/support/host_view.h"

namespace heapledger::collector {
namespace {

TEST(HostSourceTest, ShowsOnlyWhatRunsAndNoMoreThanItsCap) {
  HostSource source(2);
  auto view = std::make_shared<HostView>();
  std::uint32_t pid = 1;
  for (const ProcessState state :
       {ProcessState::kExited, ProcessState::kLive, ProcessState::kKilled,
        ProcessState::kReplaced, ProcessState::kOff, ProcessState::kStarting,
        ProcessState::kLive}) {
    view->processes.push_back(MadeUpView({.pid = pid++, .state = state}));
  }
  source.Publish(view);
  const auto host = source.host();
  ASSERT_EQ(host->processes.size(), 2U);
  EXPECT_EQ(host->processes[0]->snapshot->identity.pid, 2U);
  EXPECT_EQ(host->processes[1]->snapshot->identity.pid, 6U);
  EXPECT_EQ(host->targets, 3U);
  EXPECT_EQ(source.invariant_violations(), 0U);
}

TEST(HostSourceTest, CountsEveryInvariantThatDoesNotHold) {
  EXPECT_EQ(CountViolations(*MadeUpView({})), 0U);

  auto lost = MadeUpView({});
  lost->other = {};
  EXPECT_EQ(CountViolations(*lost), 1U);

  auto overfreed = MadeUpView({});
  overfreed->other.freed_bytes += 1000;
  LedgerSnapshot totals = *overfreed->snapshot;
  totals.totals.freed_bytes += 1000;
  overfreed->snapshot = std::make_shared<const LedgerSnapshot>(totals);
  EXPECT_EQ(CountViolations(*overfreed), 2U);  // _other and the total

  HostSource source;
  auto view = std::make_shared<HostView>();
  view->processes = {lost, overfreed};
  source.Publish(view);
  EXPECT_EQ(source.invariant_violations(), 3U);
  EXPECT_EQ(source.host()->processes.size(), 2U);  // shown all the same
}

TEST(HostSourceTest, HasAnEmptyHostBeforeTheFirstSample) {
  const HostSource source;
  EXPECT_TRUE(source.host()->processes.empty());
  EXPECT_EQ(source.last_sample_ns(), 0U);
}

}  // namespace
}  // namespace heapledger::collector
