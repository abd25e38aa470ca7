// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/tag_collector.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "collector/ledger/host_accounts.h"
#include "tests/unit/collector/ledger/fake_names.h"

namespace heapledger::collector {
namespace {

using testing::FakeNames;
using testing::SnapshotMaker;

class TagCollectorTest : public ::testing::Test {
 protected:
  void Add(std::uint64_t bytes, const TagInfo* tag = nullptr) {
    const auto callsite = maker_.AddCallsite({next_pc_++});
    maker_.counters(callsite).allocated_bytes = bytes;
    maker_.counters(callsite).allocated_objects = 1;
    if (tag == nullptr) return;
    maker_.callsite(callsite).tag =
        static_cast<std::uint32_t>(maker_.tables().tags.size());
    maker_.tables().tags.push_back(*tag);
  }

  // "family{label=value,…}" without those of the process -> value.
  std::map<std::string, double> Series(std::size_t tag_limit = 50) {
    auto snapshot = std::make_shared<LedgerSnapshot>(*maker_.At(1));
    snapshot->identity.pid = 42;
    snapshot->identity.exe = "/srv/server";
    snapshot->scopes = scopes_;
    HostSnapshot host;
    host.ledgers = {snapshot};
    AccountOptions options;
    options.tag_limit = tag_limit;
    HostSource source;
    source.Publish(HostAccounts(options, &names_).Update(host));
    const auto collector =
        MakeTagCollector(&source, DefaultApplicationMetrics());
    const auto families = collector->Collect();
    std::map<std::string, double> series;
    for (const auto& family : *families) {
      for (const auto& metric : family.metric) {
        std::string key = family.name + "{";
        for (const auto& label : metric.label) {
          if (label.name == "process" || label.name == "pid") continue;
          key += label.name + "=" + label.value + ",";
        }
        EXPECT_FALSE(series.contains(key)) << key << " stands twice";
        series[key] = family.type == prometheus::MetricType::Counter
                          ? metric.counter.value
                          : metric.gauge.value;
      }
    }
    return series;
  }

  static double Sum(const std::map<std::string, double>& series,
                    const std::string& family) {
    double sum = 0;
    for (const auto& [key, value] : series) {
      if (key.starts_with(family + "{")) sum += value;
    }
    return sum;
  }

  std::uint64_t next_pc_ = 1;
  SnapshotMaker maker_;
  FakeNames names_;
  std::vector<ScopeCounts> scopes_;
};

TEST_F(TagCollectorTest, AProgramWithoutTagsHasNoSeries) {
  Add(5);
  EXPECT_TRUE(Series().empty());
}

TEST_F(TagCollectorTest, TagsWithTheirLabelsAddUpToTheHeap) {
  const TagInfo acme{"request", {{"tenant", "acme"}, {"route.x", "/cart"}}};
  const TagInfo cache{"cache", {}};
  Add(100, &acme);
  Add(20, &cache);
  Add(3);
  scopes_ = {{5, 3}};
  const auto series = Series();
  EXPECT_EQ(series.at("heapledger_tag_live_bytes{tag=request,"
                      "tag_route_x=/cart,tag_tenant=acme,"),
            100);
  EXPECT_EQ(series.at("heapledger_tag_live_bytes{tag=_untagged,"), 3);
  EXPECT_EQ(series.at("heapledger_tag_live_bytes{tag=_other,"), 0);
  EXPECT_EQ(Sum(series, "heapledger_tag_live_bytes"), 123);
  EXPECT_EQ(Sum(series, "heapledger_tag_live_objects"), 3);
  EXPECT_EQ(series.at("heapledger_tag_open_scopes{tag=request,"
                      "tag_route_x=/cart,tag_tenant=acme,"),
            2);
  EXPECT_EQ(Sum(series, "heapledger_tag_scopes_total"), 5);
}

TEST_F(TagCollectorTest, WhatIsBeyondTheLimitIsOther) {
  for (int i = 0; i < 40; ++i) {
    const TagInfo tag{"t" + std::to_string(i), {}};
    Add(1000 + static_cast<std::uint64_t>(i), &tag);
  }
  const auto series = Series(5);
  EXPECT_EQ(Sum(series, "heapledger_tag_live_bytes"), 40 * 1000 + 39 * 20);
  EXPECT_GT(series.at("heapledger_tag_live_bytes{tag=_other,"), 30'000);
}

TEST_F(TagCollectorTest, TagsThatComeToTheSameLabelsAreOneSeries) {
  const TagInfo dashed{"t", {{"a-b", "1"}}};
  const TagInfo dotted{"t", {{"a.b", "1"}}};
  Add(1, &dashed);
  Add(2, &dotted);
  EXPECT_EQ(Series().at("heapledger_tag_live_bytes{tag=t,tag_a_b=1,"), 3);
}

TEST_F(TagCollectorTest, ServesTheApplicationsOwnNames) {
  const TagInfo tags[] = {
      {"expert", {{"expert_type", "claude"}}},
      {"expert", {{"expert_type", "claude"}, {"model", "x"}}},
      {"expert", {{"expert_type", "local"}}},
      {"mcp_server", {{"server_name", "files"}}},
      {"database_connection_pool", {}},
      {"cache", {{"cache_type", "prompt"}}},
      {"active_request", {{"route", "/a"}}},
      {"active_request", {{"route", "/b"}}},
      {"websocket_connection", {}}};
  for (const TagInfo& tag : tags) Add(10, &tag);
  const auto series = Series();
  EXPECT_EQ(
      series.at("circle_of_experts_memory_usage_bytes{expert_type=claude,"),
      20);
  EXPECT_EQ(
      series.at("circle_of_experts_memory_usage_bytes{expert_type=local,"), 10);
  EXPECT_EQ(series.at("mcp_server_memory_usage_bytes{server_name=files,"), 10);
  EXPECT_EQ(series.at("database_connection_pool_memory_bytes{"), 10);
  EXPECT_EQ(series.at("cache_memory_usage_bytes{cache_type=prompt,"), 10);
  EXPECT_EQ(series.at("active_request_memory_bytes{"), 20);
  EXPECT_EQ(series.at("websocket_connection_memory_bytes{"), 10);
}

}  // namespace
}  // namespace heapledger::collector
