// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/log_collector.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "tests/support/host_view.h"
#include "tests/support/temp_directory.h"

namespace heapledger::collector {
namespace {

class LogCollectorTest : public ::testing::Test {
 protected:
  LogCollectorTest() {
    logs::LogWatchOptions options;
    options.sources = {directory_.Path("a.log")};
    options.interval = std::chrono::milliseconds(2);
    std::ofstream(directory_.Path("a.log")) << "";
    watch_ = *logs::LogWatch::Make(options, [](const std::string&) {});
    watch_->Start();
  }

  void Say(const std::string& line) {
    const std::uint64_t before = watch_->sources()[0].lines;
    std::ofstream(directory_.Path("a.log"), std::ios::app) << line << "\n";
    while (watch_->sources()[0].lines == before) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  // "family label label" -> value.
  std::map<std::string, double> Series() {
    std::map<std::string, double> series;
    const auto families = MakeLogCollector(&source_, watch_.get())->Collect();
    for (const auto& family : *families) {
      for (const auto& metric : family.metric) {
        std::string key = family.name;
        for (const auto& label : metric.label) {
          if (label.name != "source") key += " " + label.value;
        }
        series[key] = metric.counter.value + metric.gauge.value;
      }
    }
    return series;
  }

  heapledger::testing::TempDirectory directory_;
  HostSource source_;
  std::unique_ptr<logs::LogWatch> watch_;
};

constexpr char kKill[] =
    "[1.2] Out of memory: Killed process 42 (server) total-vm:1kB";

TEST_F(LogCollectorTest, SeriesAreThereBeforeAnythingCame) {
  const auto series = Series();
  EXPECT_EQ(series.at("heapledger_log_pattern_matches_total oom_killer "
                      "critical"),
            0);
  EXPECT_FALSE(series.contains(
      "heapledger_log_pattern_last_seen_timestamp_seconds oom_killer "
      "critical"));
  EXPECT_EQ(series.at("heapledger_log_source_up"), 1);
}

TEST_F(LogCollectorTest, AMeasuredProgramHasNoKillsUntilItIsKilled) {
  auto host = std::make_shared<HostView>();
  auto process = std::make_shared<ProcessView>(*MadeUpView({}));
  auto snapshot = std::make_shared<LedgerSnapshot>(*process->snapshot);
  snapshot->identity.comm = "server";
  process->snapshot = snapshot;
  host->processes.push_back(process);
  source_.Publish(host);
  EXPECT_EQ(Series().at("heapledger_log_oom_kills_total server"), 0);
  Say(kKill);
  const auto series = Series();
  EXPECT_EQ(series.at("heapledger_log_oom_kills_total server"), 1);
  EXPECT_EQ(
      series.at("heapledger_log_pattern_matches_total oom_killer critical"), 1);
  EXPECT_GT(series.at("heapledger_log_pattern_last_seen_timestamp_seconds "
                      "oom_killer critical"),
            1.7e9);
  EXPECT_EQ(series.at("heapledger_log_lines_total"), 1);
}

TEST_F(LogCollectorTest, TheJsonHasPatternsKillsAndSources) {
  Say(kKill);
  const auto json = nlohmann::json::parse(RenderLogs(*watch_, 1));
  ASSERT_EQ(json["patterns"].size(), 1U) << "only what came";
  EXPECT_EQ(json["patterns"][0]["pattern"], "oom_killer");
  EXPECT_EQ(json["patterns"][0]["count"], 1);
  EXPECT_EQ(json["patterns"][0]["last"]["program"], "kernel");
  ASSERT_EQ(json["kills"].size(), 1U);
  EXPECT_EQ(json["kills"][0]["process"], "server");
  EXPECT_EQ(json["kills"][0]["pid"], 42);
  EXPECT_EQ(json["sources"][0]["source"], directory_.Path("a.log"));
  // What came before the time asked for is left out.
  const auto later = nlohmann::json::parse(RenderLogs(*watch_, ~0ULL));
  EXPECT_TRUE(later["patterns"].empty());
  EXPECT_TRUE(later["kills"].empty());
  EXPECT_EQ(nlohmann::json::parse(RenderLogs(*watch_, 0))["patterns"].size(),
            5U);
}

TEST_F(LogCollectorTest, BytesThatAreNoTextAreNoBadJson) {
  Say("MemoryError: \xff\xfe");
  EXPECT_TRUE(nlohmann::json::accept(RenderLogs(*watch_, 0)));
}

}  // namespace
}  // namespace heapledger::collector
