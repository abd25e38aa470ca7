// SPDX-License-Identifier: Apache-2.0
// Pages of metrics, from made-up processes to text.
#include "collector/exporter/registry.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "collector/exporter/callsite_collector.h"
#include "collector/exporter/families.h"
#include "collector/exporter/host_source.h"
#include "collector/exporter/landing_page.h"
#include "collector/exporter/process_collector.h"
#include "collector/exporter/request_collector.h"
#include "collector/exporter/self_collector.h"
#include "tests/support/host_view.h"

namespace heapledger::collector {
namespace {

class FailingCollector final : public MetricCollector {
 public:
  std::string_view name() const override { return "failing"; }
  absl::StatusOr<MetricFamilies> Collect() override {
    return absl::UnavailableError("no");
  }
};

class ThrowingCollector final : public MetricCollector {
 public:
  std::string_view name() const override { return "throwing"; }
  absl::StatusOr<MetricFamilies> Collect() override {
    throw std::runtime_error("no");
  }
};

class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() : registry_(&dropped_) {
    registry_.Add("memory", MakeProcessCollector(&source_));
    registry_.Add("callsites", MakeCallsiteCollector(&source_, 4, &dropped_));
    registry_.Add("self", MakeSelfCollector(
                              &source_, &system_,
                              [] { return HttpServerStats{}; }, &dropped_));
  }

  void Publish(
      std::initializer_list<std::shared_ptr<const ProcessView>> views) {
    auto host = std::make_shared<HostView>();
    host->processes = views;
    source_.Publish(std::move(host));
  }

  // Value by series, as text.
  std::map<std::string, std::string> Render(std::string_view page = {}) {
    std::map<std::string, std::string> series;
    std::istringstream lines(registry_.Render(page));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("#")) continue;
      const std::size_t space = line.rfind(' ');
      EXPECT_TRUE(
          series.emplace(line.substr(0, space), line.substr(space + 1)).second)
          << line;
    }
    return series;
  }

  static std::uint64_t Sum(const std::map<std::string, std::string>& series,
                           const std::string& prefix) {
    std::uint64_t sum = 0;
    for (const auto& [name, value] : series) {
      if (name.starts_with(prefix)) sum += std::stoull(value);
    }
    return sum;
  }

  DroppedSeries dropped_;
  HostSource source_;
  SystemSource system_;
  MetricRegistry registry_;
};

TEST_F(RegistryTest, ShowsTheFiguresOfAProcess) {
  Publish({MadeUpView({})});
  const auto series = Render();
  const std::string labels = "{process=\"program\",pid=\"42\"}";
  // 10 + 20 + 30 + 2 allocated, 0 + 1 + 2 + 1 freed, 16 bytes each.
  EXPECT_EQ(series.at("heapledger_heap_live_bytes" + labels), "928");
  EXPECT_EQ(series.at("heapledger_heap_live_objects" + labels), "58");
  EXPECT_EQ(series.at("heapledger_heap_allocated_bytes_total" + labels), "992");
  EXPECT_EQ(series.at("heapledger_heap_freed_bytes_total" + labels), "64");
  EXPECT_EQ(series.at("heapledger_heap_allocations_total" + labels), "62");
  EXPECT_EQ(series.at("heapledger_heap_frees_total" + labels), "4");
  EXPECT_EQ(series.at("heapledger_heap_peak_bytes" + labels), "929");
  EXPECT_EQ(series.at("heapledger_heap_growth_bytes_per_second{process="
                      "\"program\",pid=\"42\",window=\"1m\"}"),
            "12.5");
  EXPECT_EQ(
      series.at("heapledger_process_info{process=\"program\",pid=\"42\","
                "exe=\"/usr/bin/program\",build_id=\"0abc\",mode=\"exact\"}"),
      "1");
  EXPECT_EQ(series.at("heapledger_targets"), "1");
}

TEST_F(RegistryTest, AddsUpOverCallsitesToTheTotal) {
  for (const std::size_t callsites : {0U, 3U, 4U, 9U}) {  // the cap is 4
    Publish({MadeUpView({.callsites = callsites})});
    const auto series = Render();
    EXPECT_EQ(Sum(series, "heapledger_callsite_live_bytes{"),
              Sum(series, "heapledger_heap_live_bytes{"));
    EXPECT_EQ(Sum(series, "heapledger_callsite_live_objects{"),
              Sum(series, "heapledger_heap_live_objects{"));
    EXPECT_EQ(Sum(series, "heapledger_callsite_allocated_bytes_total{"),
              Sum(series, "heapledger_heap_allocated_bytes_total{"));
    EXPECT_EQ(Sum(series, "heapledger_heap_live_bytes{"),
              Sum(series, "heapledger_heap_allocated_bytes_total{") -
                  Sum(series, "heapledger_heap_freed_bytes_total{"));
    EXPECT_EQ(series.at("heapledger_invariant_violations_total"), "0");
  }
  EXPECT_EQ(Render().at("heapledger_series_dropped_total{reason=\"callsite_"
                        "cap\"}"),
            "10");  // 5 of 9 callsites, in two scrapes
}

// A made-up process whose ledger says something else.
template <typename Change>
std::shared_ptr<const ProcessView> Changed(const Change& change) {
  auto view = MadeUpView({});
  auto snapshot = std::make_shared<LedgerSnapshot>(*view->snapshot);
  change(*snapshot);
  view->snapshot = std::move(snapshot);
  return view;
}

TEST_F(RegistryTest, ShowsWhatAProcessDidWhenAskedToHoldLess) {
  registry_.Add("memory", MakeRequestCollector(&source_));
  const std::string labels = "{process=\"program\",pid=\"42\"}";
  Publish({MadeUpView({})});
  auto series = Render();
  EXPECT_EQ(series.at("heapledger_trims_total" + labels), "0");
  EXPECT_EQ(series.count("heapledger_trim_returned_bytes" + labels), 0U);
  EXPECT_EQ(series.count("heapledger_pressure_taken_total" + labels), 0U);
  Publish({Changed([](LedgerSnapshot& snapshot) {
    snapshot.trim.trims = 3;
    snapshot.trim.refused = 4;
    snapshot.trim.before.resident = 1000;
    snapshot.trim.after.resident = 400;
    snapshot.trim.duration_ns = 500'000'000;
    snapshot.pressure.polls = 1;
    snapshot.pressure.taken = 5;
    snapshot.pressure.listeners = {{.runs = 6}, {.runs = 7}};
  })});
  series = Render();
  EXPECT_EQ(series.at("heapledger_trims_total" + labels), "3");
  EXPECT_EQ(series.at("heapledger_trims_refused_total" + labels), "4");
  EXPECT_EQ(series.at("heapledger_trim_returned_bytes" + labels), "600");
  EXPECT_EQ(series.at("heapledger_trim_duration_seconds" + labels), "0.5");
  EXPECT_EQ(series.at("heapledger_pressure_taken_total" + labels), "5");
  EXPECT_EQ(series.at("heapledger_pressure_callback_runs_total" + labels),
            "13");
}

TEST_F(RegistryTest, LetsAQueryTellEstimatesFromExactFigures) {
  const std::string labels = "{process=\"program\",pid=\"42\"}";
  Publish({MadeUpView({})});
  EXPECT_EQ(Render().at("heapledger_ledger_sample_bytes" + labels), "0");
  EXPECT_EQ(Render().at("heapledger_cut_stack_live_bytes" + labels), "0");
  Publish({Changed([](LedgerSnapshot& snapshot) {
    snapshot.mode = MeasureMode::kSampled;
    snapshot.sample_bytes = 524288;
    snapshot.cut = MadeUpCounters(3, 1);
  })});
  const auto series = Render();
  EXPECT_EQ(series.at("heapledger_ledger_sample_bytes" + labels), "524288");
  EXPECT_EQ(series.at("heapledger_cut_stack_live_bytes" + labels), "32");
  EXPECT_EQ(series.at("heapledger_heap_live_bytes" + labels), "928");
  EXPECT_EQ(
      series.at("heapledger_process_info{process=\"program\",pid=\"42\",exe="
                "\"/usr/bin/program\",build_id=\"0abc\",mode=\"sampled\"}"),
      "1");
  EXPECT_EQ(series.at("heapledger_invariant_violations_total"), "0")
      << "estimates add up, too";
}

TEST_F(RegistryTest, ShowsNoFiguresOfAProcessThatWasNeverArmed) {
  Publish({Changed([](LedgerSnapshot& snapshot) {
    snapshot.mode = MeasureMode::kDormant;
  })});
  auto series = Render();
  const std::string labels = "{process=\"program\",pid=\"42\"}";
  EXPECT_FALSE(series.contains("heapledger_heap_live_bytes" + labels));
  EXPECT_FALSE(
      series.contains("heapledger_ledger_armed_timestamp_seconds" + labels));
  EXPECT_EQ(registry_.Render().find("heapledger_callsite_live_bytes{"),
            std::string::npos);
  EXPECT_TRUE(series.contains("heapledger_ledger_bytes" + labels));
  Publish({Changed([](LedgerSnapshot& snapshot) {
    snapshot.mode = MeasureMode::kDormant;
    snapshot.armed_realtime_ns = 1'500'000'000;
    snapshot.disarmed_realtime_ns = 2'500'000'000;
  })});
  series = Render();
  EXPECT_EQ(series.at("heapledger_ledger_armed_timestamp_seconds" + labels),
            "1.5");
  EXPECT_EQ(series.at("heapledger_ledger_disarmed_timestamp_seconds" + labels),
            "2.5");
  EXPECT_EQ(series.at("heapledger_heap_live_bytes" + labels), "928")
      << "what was booked before is followed on";
}

std::size_t HeldBytes() {
  const auto facts = mallinfo2();
  return facts.uordblks + facts.hblkhd;
}

// A sink that keeps nothing, and looks at the heap meanwhile.
class CountingSink final : public BodySink {
 public:
  void Append(std::string_view piece) override {
    bytes += piece.size();
    longest = std::max(longest, piece.size());
    held = std::max(held, HeldBytes());
  }
  std::size_t bytes = 0;
  std::size_t longest = 0;
  std::size_t held = 0;
};

TEST_F(RegistryTest, WritesAHundredThousandSeriesInPieces) {
  constexpr std::size_t kProcesses = 200;
  constexpr std::size_t kCallsites = 100;
  MetricRegistry registry(&dropped_);
  registry.Add("callsites",
               MakeCallsiteCollector(&source_, kCallsites, &dropped_));
  auto host = std::make_shared<HostView>();
  for (std::uint32_t pid = 1; pid <= kProcesses; ++pid) {
    host->processes.push_back(
        MadeUpView({.pid = pid,
                    .callsites = kCallsites,
                    .function = "a::Function<of, ordinary>::Length()"}));
  }
  source_.Publish(std::move(host));
  for (const ExpositionFormat format :
       {ExpositionFormat::kText, ExpositionFormat::kOpenMetrics}) {
    CountingSink sink;
    const std::size_t before = HeldBytes();
    const std::clock_t begin = std::clock();
    registry.Write("", format, &sink);
    const double milliseconds =
        1000.0 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    EXPECT_GT(sink.bytes, 10U << 20);
    EXPECT_LT(sink.longest, 128U << 10);
    EXPECT_LT(milliseconds, 1000) << "of CPU; a tenth of it is usual";
    // Half of the page's own length, and all of it is given back.
    EXPECT_LT(sink.held, before + (9U << 20));
    EXPECT_LT(HeldBytes(), before + (1U << 20));
    std::cout << "100,500 series: " << milliseconds << " ms of CPU for "
              << sink.bytes << " bytes, " << (sink.held - before)
              << " bytes held for it\n";
  }
}

TEST_F(RegistryTest, ForgetsAProcessThatEnded) {
  Publish({MadeUpView({}), MadeUpView({.pid = 43})});
  EXPECT_TRUE(registry_.Render().find("pid=\"43\"") != std::string::npos);
  Publish({MadeUpView({}),
           MadeUpView({.pid = 43, .state = ProcessState::kKilled})});
  EXPECT_TRUE(registry_.Render().find("pid=\"43\"") == std::string::npos);
}

TEST_F(RegistryTest, CountsTheSecondOfTwoProcessesThatLookAlike) {
  Publish({MadeUpView({.callsites = 0}), MadeUpView({.callsites = 0})});
  const auto series = Render();
  EXPECT_NE(series.at("heapledger_series_dropped_total{reason=\"duplicate\"}"),
            "0");
}

TEST_F(RegistryTest, GivesEachPageItsOwnFamilies) {
  Publish({MadeUpView({})});
  const std::string memory = registry_.Render("memory");
  EXPECT_NE(memory.find("heapledger_heap_live_bytes{"), std::string::npos);
  EXPECT_EQ(memory.find("heapledger_callsite_"), std::string::npos);
  const std::string callsites = registry_.Render("callsites");
  EXPECT_EQ(callsites.find("# TYPE heapledger_heap_"), std::string::npos);
  EXPECT_NE(callsites.find("heapledger_scrape_duration_seconds "),
            std::string::npos);
}

TEST_F(RegistryTest, LosesOnlyTheCollectorThatFails) {
  registry_.Add("memory", std::make_unique<FailingCollector>());
  registry_.Add("memory", std::make_unique<ThrowingCollector>());
  Publish({MadeUpView({})});
  const auto series = Render();
  EXPECT_EQ(series.at("heapledger_collector_success{collector=\"failing\"}"),
            "0");
  EXPECT_EQ(series.at("heapledger_collector_success{collector=\"throwing\"}"),
            "0");
  EXPECT_EQ(series.at("heapledger_collector_success{collector=\"heap\"}"), "1");
  EXPECT_EQ(Sum(series, "heapledger_heap_live_bytes{"), 928U);
}

TEST(LandingPageTest, EscapesTheNamesOfProcesses) {
  HostSource source;
  auto view = std::make_shared<HostView>();
  view->processes.push_back(
      MadeUpView({.exe = "/tmp/<script>alert('x')<\\script>"}));
  source.Publish(view);
  const std::string page = RenderLandingPage(*source.host());
  EXPECT_EQ(page.find("<script>"), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;alert(&#39;x&#39;)"), std::string::npos);
  EXPECT_NE(page.find("<td>exact<td>928 B"), std::string::npos);
}

TEST(LandingPageTest, MarksEstimatesAndGivesADormantProcessNoFigures) {
  HostSource source;
  auto view = std::make_shared<HostView>();
  view->processes = {Changed([](LedgerSnapshot& snapshot) {
                       snapshot.mode = MeasureMode::kSampled;
                     }),
                     Changed([](LedgerSnapshot& snapshot) {
                       snapshot.mode = MeasureMode::kDormant;
                     })};
  source.Publish(view);
  const std::string page = RenderLandingPage(*source.host());
  EXPECT_NE(page.find("<td>sampled<td>~928 B<td>~58"), std::string::npos);
  EXPECT_NE(page.find("<td>dormant<td>-<td>-"), std::string::npos);
  EXPECT_NE(page.find("Figures with a ~ are estimates"), std::string::npos);
}

}  // namespace
}  // namespace heapledger::collector
