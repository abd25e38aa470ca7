// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/baseline_collector.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace heapledger::collector {
namespace {

using baseline::Growth;
using baseline::Quantity;

// Learned at 100, in the first hour of Unix time; now it grows.
baseline::Learner Learned() {
  baseline::Learner learner({.wait_ns = 0});
  for (std::uint64_t i = 1; i <= 10; ++i) {
    baseline::Sample sample;
    sample.realtime_ns = i;
    sample[Quantity::kRssBytes] = 100;
    learner.Observe(1, "server", sample, Growth::kNone);
  }
  learner.Observe(1, "server", {}, Growth::kSuspected);
  return learner;
}

std::map<std::string, double> Series(int slot) {
  const baseline::Learner learner = Learned();
  const auto figures =
      std::make_shared<const std::vector<baseline::ProgramFigures>>(
          baseline::FiguresOf(learner.baseline(), learner.states(), slot));
  const auto collector = MakeBaselineCollector(
      {[figures] { return figures; },
       [] { return std::make_shared<const std::string>("{}"); }});
  std::map<std::string, double> series;
  const auto families = collector->Collect();
  for (const auto& family : *families) {
    for (const auto& metric : family.metric) {
      std::string key = family.name;
      for (const auto& label : metric.label) key += " " + label.value;
      series[key] = metric.gauge.value + metric.counter.value;
    }
  }
  return series;
}

TEST(BaselineCollectorTest, StatisticsOfAllHoursAndOfThePresentOne) {
  const auto series = Series(baseline::SlotOf(1));
  EXPECT_EQ(series.at("heapledger_baseline_value server rss_bytes p99 all"),
            100);
  EXPECT_EQ(series.at("heapledger_baseline_value server rss_bytes p99 current"),
            100);
  EXPECT_EQ(series.at("heapledger_baseline_value server rss_bytes mad all"), 0);
  EXPECT_EQ(series.at("heapledger_baseline_samples server"), 10);
  EXPECT_EQ(series.at("heapledger_baseline_dropped_samples_total server"), 1);
  EXPECT_EQ(series.at("heapledger_baseline_frozen server"), 1);
}

TEST(BaselineCollectorTest, WhatIsNotKnownHasNoSeries) {
  const auto series = Series(0);
  EXPECT_FALSE(series.contains(
      "heapledger_baseline_value server rss_bytes p99 current"));
  EXPECT_FALSE(
      series.contains("heapledger_baseline_value server vms_bytes p99 all"));
}

}  // namespace
}  // namespace heapledger::collector
