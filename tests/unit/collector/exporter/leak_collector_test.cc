// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/leak_collector.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/unit/collector/ledger/fake_names.h"

namespace heapledger::collector {
namespace {

using testing::FakeNames;
using testing::SnapshotMaker;

// Minutes of a process with two leaks: f1 loses 10 blocks of 100 bytes a
// second, f2 one of 64.
class LeakCollectorTest : public ::testing::Test {
 protected:
  void Live(LeakOptions options, std::uint64_t seconds = 400) {
    leaks_ = std::make_unique<HostLeaks>(std::move(options));
    SnapshotMaker maker;
    const auto fast = maker.AddCallsite({1});
    const auto slow = maker.AddCallsite({2});
    HostAccounts accounts({}, &names_);
    for (std::uint64_t t = 0; t < seconds; ++t) {
      maker.counters(fast).allocated_objects += 10;
      maker.counters(fast).allocated_bytes += 1000;
      maker.counters(slow).allocated_objects += 1;
      maker.counters(slow).allocated_bytes += 64;
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

  // "family function evidence" -> value.
  std::map<std::string, double> Series(std::size_t max_suspects = 50) {
    std::map<std::string, double> series;
    const auto collector =
        MakeLeakCollector(&source_, leaks_.get(), max_suspects, &dropped_);
    const auto families = collector->Collect();
    for (const auto& family : *families) {
      for (const auto& metric : family.metric) {
        std::string key = family.name;
        for (const auto& label : metric.label) {
          if (label.name == "function" || label.name == "evidence") {
            key += " " + label.value;
          }
        }
        series[key] = metric.gauge.value;
      }
    }
    return series;
  }

  FakeNames names_;
  HostSource source_;
  std::unique_ptr<HostLeaks> leaks_;
  DroppedSeries dropped_;
};

TEST_F(LeakCollectorTest, ShowsSuspectsByEvidence) {
  Live({});
  const auto series = Series();
  EXPECT_EQ(series.at("heapledger_leak_suspects growth"), 2);
  EXPECT_EQ(series.at("heapledger_leak_suspects age"), 2);
  EXPECT_GT(series.at("heapledger_leak_suspect_bytes f1 growth"), 100'000);
  EXPECT_GT(series.at("heapledger_leak_suspect_objects f2 growth"), 100);
  // Half of the last windows' blocks are older than half a window.
  EXPECT_GT(series.at("heapledger_leak_suspect_objects f2 age"), 100);
  EXPECT_LT(series.at("heapledger_leak_suspect_objects f2 age"), 300);
}

TEST_F(LeakCollectorTest, ShowsHowTheProcessGrows) {
  LeakOptions options;
  options.headroom = [](std::uint32_t pid) {
    return pid == 42 ? std::optional<std::uint64_t>(1'000'000) : std::nullopt;
  };
  Live(options);
  auto series = Series();
  EXPECT_EQ(series.at("heapledger_heap_leak_score"), 0) << "it is too early";
  EXPECT_FALSE(
      series.contains("heapledger_heap_floor_growth_bytes_per_second"));
  Live(options, 1600);
  series = Series();
  EXPECT_GT(series.at("heapledger_heap_leak_score"), 0.2);
  EXPECT_NEAR(series.at("heapledger_heap_floor_growth_bytes_per_second"), 1064,
              20);
  EXPECT_NEAR(series.at("heapledger_heap_exhaustion_seconds"), 1'000'000 / 1064,
              200);
}

TEST_F(LeakCollectorTest, ShowsTheFastestWhereThereAreTooMany) {
  Live({});
  const auto series = Series(1);
  EXPECT_TRUE(series.contains("heapledger_leak_suspect_bytes f1 growth"));
  EXPECT_FALSE(series.contains("heapledger_leak_suspect_bytes f2 growth"));
  EXPECT_EQ(series.at("heapledger_leak_suspects growth"), 2);
  EXPECT_EQ(dropped_.count(static_cast<std::size_t>(SeriesDrop::kCallsiteCap)),
            1U);
}

TEST_F(LeakCollectorTest, LeavesWhatIsKnownToTheApi) {
  LeakOptions options;
  options.rules.suppress = [](std::span<const ResolvedFrame> frames) {
    return frames.front().function == "f1";
  };
  Live(options);
  EXPECT_EQ(Series().at("heapledger_leak_suspects growth"), 1);
  const auto json = nlohmann::json::parse(
      RenderLeaks(*source_.host(), *leaks_->view(), names_));
  const auto& suspects = json["processes"].at(0)["suspects"];
  ASSERT_EQ(suspects.size(), 2U);
  EXPECT_EQ(suspects[0]["state"], "suppressed");
  EXPECT_EQ(suspects[1]["state"], "new");
}

}  // namespace
}  // namespace heapledger::collector
