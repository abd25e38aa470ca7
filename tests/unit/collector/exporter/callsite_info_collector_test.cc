// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/callsite_info_collector.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/unit/collector/ledger/fake_names.h"

namespace heapledger::collector {
namespace {

using testing::FakeNames;
using testing::SnapshotMaker;

// Seven minutes of a process in which f1 holds much, and f2 leaks a little.
class CallsiteInfoCollectorTest : public ::testing::Test {
 protected:
  void Live(std::size_t top_limit) {
    ResolvedFrame frame;
    frame.function = "f2";
    frame.module = "prog";
    frame.file = "leak.cc";
    frame.line = 7;
    names_.by_pc[2] = {frame};
    leaks_ = std::make_unique<HostLeaks>(LeakOptions());
    SnapshotMaker maker;
    const auto large = maker.AddCallsite({1});
    const auto leak = maker.AddCallsite({2});
    maker.counters(large).allocated_objects = 1;
    maker.counters(large).allocated_bytes = 1'000'000'000;
    HostAccounts accounts({.top_limit = top_limit}, &names_);
    for (std::uint64_t t = 0; t < 400; ++t) {
      maker.counters(leak).allocated_objects += 1;
      maker.counters(leak).allocated_bytes += 64;
      auto snapshot = std::make_shared<LedgerSnapshot>(
          *maker.At((1'000'000 + t) * kSecondNs));
      snapshot->state = ProcessState::kLive;
      snapshot->identity.pid = 42;
      snapshot->identity.exe = "/srv/server";
      HostSnapshot host;
      host.ledgers = {snapshot};
      auto view = accounts.Update(host);
      leaks_->Update(accounts, names_);
      source_.Publish(std::move(view));
    }
  }

  // "function file line" of every series.
  std::multiset<std::string> Places() {
    std::multiset<std::string> places;
    const auto families =
        MakeCallsiteInfoCollector(&source_, leaks_.get(), 50)->Collect();
    for (const auto& family : *families) {
      EXPECT_EQ(family.name, "heapledger_callsite_info");
      for (const auto& metric : family.metric) {
        EXPECT_EQ(metric.gauge.value, 1);
        std::string place;
        for (const auto& label : metric.label) {
          if (label.name == "function" || label.name == "file" ||
              label.name == "line") {
            place += (place.empty() ? "" : " ") + label.value;
          }
        }
        places.insert(place);
      }
    }
    return places;
  }

  FakeNames names_;
  HostSource source_;
  std::unique_ptr<HostLeaks> leaks_;
};

TEST_F(CallsiteInfoCollectorTest, TellsThePlaceWhereItIsKnown) {
  Live(20);
  EXPECT_EQ(Places(), (std::multiset<std::string>{"f1  ", "f2 leak.cc 7"}));
}

TEST_F(CallsiteInfoCollectorTest, ASuspectHasAPlaceThoughItIsNoTopCallsite) {
  Live(1);
  ASSERT_EQ(source_.host()->processes.at(0)->top.size(), 1);
  EXPECT_EQ(Places(), (std::multiset<std::string>{"f1  ", "f2 leak.cc 7"}));
}

}  // namespace
}  // namespace heapledger::collector
