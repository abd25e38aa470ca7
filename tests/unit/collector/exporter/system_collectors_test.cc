// SPDX-License-Identifier: Apache-2.0
// Metrics of host, cgroups and processes out of a made-up look at the system.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "collector/exporter/host_memory_collector.h"
#include "collector/exporter/measured_target.h"
#include "collector/exporter/process_memory_collector.h"
#include "collector/exporter/registry.h"
#include "collector/exporter/self_collector.h"
#include "tests/support/host_view.h"

namespace heapledger::collector {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
const std::string kLabels = "{process=\"app\",pid=\"42\"}";

class SystemCollectorsTest : public ::testing::Test {
 protected:
  static SystemView MadeUpSystem() {
    SystemView view;
    view.taken_realtime_ns = 1'700'000'000'000'000'000;
    view.memory = HostMemory{.total = 1000,
                             .available = 600,
                             .buffers = 1,
                             .cached = 2,
                             .swap_total = 50,
                             .swap_free = 20,
                             .commit_limit = 3,
                             .committed_as = 4};
    view.paging = HostPaging{.swap_in_pages = 5, .major_faults = 6};
    view.pressure = MemoryPressure{.some_us = 1'500'000, .full_us = 250'000};
    TargetSample target;
    target.pid = 42;
    target.process = "app";
    target.taken_realtime_ns = 1'700'000'000'500'000'000;
    target.memory = {.anonymous = 70 * kMiB,
                     .file = 20 * kMiB,
                     .shmem = 10 * kMiB,
                     .virtual_size = 500 * kMiB,
                     .peak_resident = 110 * kMiB};
    target.limit = 400 * kMiB;
    target.headroom = 100 * kMiB;
    view.targets.push_back(target);
    CgroupMemory group;
    group.current = 7;
    group.inactive_file = 3;
    group.events = {0, 0, 0, 0, 0};
    view.cgroups.push_back(
        {.name = "/box", .memory = group, .pressure = MemoryPressure{}});
    return view;
  }

  // Value by series of all metrics.
  std::map<std::string, std::string> Render(
      SystemView view, MetricNames names = MetricNames::kSeed) {
    SystemSource source;
    source.Publish(std::make_shared<const SystemView>(std::move(view)));
    HostSource host;
    DroppedSeries dropped;
    MetricRegistry registry(&dropped);
    registry.Add("memory", MakeHostMemoryCollector(&source, names));
    registry.Add("memory", MakeProcessMemoryCollector(&source, names));
    registry.Add("self", MakeSelfCollector(
                             &host, &source, [] { return HttpServerStats{}; },
                             &dropped));
    std::map<std::string, std::string> series;
    std::istringstream lines(registry.Render());
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("#")) continue;
      const std::size_t space = line.rfind(' ');
      series.emplace(line.substr(0, space), line.substr(space + 1));
    }
    return series;
  }
};

TEST_F(SystemCollectorsTest, ShowsTheHost) {
  const auto series = Render(MadeUpSystem());
  EXPECT_EQ(series.at("memory_total_bytes"), "1000");
  EXPECT_EQ(series.at("memory_available_bytes"), "600");
  EXPECT_EQ(series.at("memory_swap_used_bytes"), "30");
  EXPECT_EQ(series.at("memory_swap_free_bytes"), "20");
  EXPECT_EQ(series.at("memory_commit_limit_bytes"), "3");
  EXPECT_EQ(series.at("memory_committed_as_bytes"), "4");
  EXPECT_EQ(series.at("heapledger_swap_in_pages_total"), "5");
  EXPECT_EQ(series.at("heapledger_major_faults_total"), "6");
  EXPECT_EQ(series.at("heapledger_memory_pressure_seconds_total{scope=\"host\","
                      "kind=\"some\"}"),
            "1.5");
  EXPECT_EQ(series.at("heapledger_memory_pressure_seconds_total{scope="
                      "\"cgroup\",cgroup=\"/box\",kind=\"full\"}"),
            "0");
}

TEST_F(SystemCollectorsTest, HasCgroupEventsBeforeTheFirst) {
  const auto series = Render(MadeUpSystem());
  for (const char* event : {"low", "high", "max", "oom", "oom_kill"}) {
    EXPECT_EQ(series.at("heapledger_cgroup_memory_events_total{cgroup=\"/box\","
                        "event=\"" +
                        std::string(event) + "\"}"),
              "0");
  }
  EXPECT_EQ(series.at("heapledger_cgroup_working_set_bytes{cgroup=\"/box\"}"),
            "4");
  EXPECT_FALSE(
      series.contains("heapledger_cgroup_limit_bytes{cgroup=\"/box\"}"));
}

TEST_F(SystemCollectorsTest, ShowsAProcess) {
  SystemView view = MadeUpSystem();
  auto series = Render(view);
  EXPECT_EQ(series.at("process_memory_rss_bytes" + kLabels), "104857600");
  EXPECT_EQ(series.at("process_memory_shared_bytes" + kLabels), "31457280");
  EXPECT_EQ(series.at("process_memory_peak_rss_bytes" + kLabels), "115343360");
  EXPECT_EQ(series.at("process_memory_percent" + kLabels), "75");
  EXPECT_EQ(series.at("heapledger_memory_usage_ratio" + kLabels), "0.75");
  EXPECT_EQ(series.at("memory_usage_bytes{process=\"app\",pid=\"42\",type="
                      "\"vms\"}"),
            "524288000");
  EXPECT_EQ(
      series.at("heapledger_target_last_sample_timestamp_seconds" + kLabels),
      "1700000000.5");
  for (const char* absent :
       {"process_memory_dirty_bytes", "heapledger_resident_bytes",
        "process_memory_growth_rate_bytes_per_second",
        "memory_growth_rate_bytes_per_second",
        "heapledger_target_last_page_walk_timestamp_seconds"}) {
    EXPECT_FALSE(series.contains(absent + kLabels)) << "nobody knows it yet";
  }
  for (const auto& [name, value] : series) {
    EXPECT_EQ(name.find("percent\""), std::string::npos) << "no unit of bytes";
  }
  view.targets[0].pages = PageTotals{.pss = 1, .uss = 2, .dirty = 3};
  view.targets[0].growth_bytes_per_second = -4.5;
  series = Render(view);
  EXPECT_EQ(series.at("process_memory_dirty_bytes" + kLabels), "3");
  EXPECT_EQ(series.at("process_memory_growth_rate_bytes_per_second" + kLabels),
            "-4.5");
  EXPECT_EQ(series.at("memory_growth_rate_bytes_per_second" + kLabels), "-4.5");
}

TEST_F(SystemCollectorsTest, SplitsResidentMemoryToTheByte) {
  SystemView view = MadeUpSystem();
  view.targets[0].parts = SplitResident(
      view.targets[0].memory, {.heap = 40 * kMiB, .rest = 20 * kMiB},
      {.live_bytes = 30 * kMiB, .overhead_bytes = kMiB, .glibc_malloc = true});
  const auto series = Render(view);
  std::uint64_t sum = 0;
  for (const auto& [name, value] : series) {
    if (name.starts_with("heapledger_resident_bytes{"))
      sum += std::stoull(value);
  }
  EXPECT_EQ(sum, 100 * kMiB);
  EXPECT_EQ(series.at("heapledger_heap_resident_bytes" + kLabels), "52428800");
}

TEST_F(SystemCollectorsTest, PrefixesWhatIsNotOurs) {
  const auto seed = Render(MadeUpSystem());
  const auto prefixed = Render(MadeUpSystem(), MetricNames::kPrefixed);
  EXPECT_EQ(seed.size(), prefixed.size());
  EXPECT_EQ(prefixed.at("heapledger_process_memory_rss_bytes" + kLabels),
            "104857600");
  for (const auto& [name, value] : prefixed) {
    EXPECT_TRUE(name.starts_with("heapledger_")) << name;
  }
}

TEST_F(SystemCollectorsTest, FailsAloneWhereTheHostCannotBeRead) {
  SystemView view = MadeUpSystem();
  view.memory.reset();
  const auto series = Render(view);
  EXPECT_EQ(
      series.at("heapledger_collector_success{collector=\"host_memory\"}"),
      "0");
  EXPECT_EQ(
      series.at("heapledger_collector_success{collector=\"process_memory\"}"),
      "1");
  EXPECT_EQ(series.at("process_memory_rss_bytes" + kLabels), "104857600");
  EXPECT_EQ(Render({}).count("memory_total_bytes"), 0U) << "nobody has looked";
}

TEST_F(SystemCollectorsTest, CountsTargetsAndThoseAboveTheCap) {
  SystemView view = MadeUpSystem();
  view.watched = 5;
  view.watched_dropped = 2;
  const auto series = Render(view);
  EXPECT_EQ(series.at("heapledger_targets"), "5");
  EXPECT_EQ(series.at("heapledger_series_dropped_total{reason=\"target_cap\"}"),
            "2");
}

std::shared_ptr<ProcessView> WithSnapshot(LedgerSnapshot snapshot) {
  auto view = std::make_shared<ProcessView>();
  view->snapshot = std::make_shared<const LedgerSnapshot>(std::move(snapshot));
  return view;
}

TEST(MeasuredTargetTest, KnowsWhatTheLedgerKnows) {
  LedgerSnapshot snapshot = MadeUpSnapshot({.exe = "/usr/bin/app", .pid = 7});
  snapshot.path = "/dev/shm/heapledger-0/7-99.ledger";
  snapshot.identity.start_time_ticks = 99;
  snapshot.counters = {{.allocated_bytes = 3 * 24, .allocated_objects = 3},
                       {.allocated_bytes = 64 * kMiB, .allocated_objects = 2}};
  for (const HeapCounters& counters : snapshot.counters) {
    snapshot.totals += counters;
  }
  const SystemTarget target = MeasuredTarget(*WithSnapshot(snapshot));
  EXPECT_EQ(target.pid, 7U);
  EXPECT_EQ(target.start_time_ticks, 99U);
  EXPECT_EQ(target.process, "app");
  ASSERT_TRUE(target.heap);
  EXPECT_EQ(target.heap->ledger_file, "7-99.ledger");
  EXPECT_EQ(target.heap->live_bytes, 64 * kMiB + 72);
  EXPECT_EQ(target.heap->mapped_live_bytes, 64 * kMiB);
  EXPECT_EQ(target.heap->overhead_bytes, 3 * 8 + MallocOverhead(64 * kMiB, 2));
  EXPECT_TRUE(target.heap->glibc_malloc);
}

TEST(MeasuredTargetTest, KnowsOtherAllocatorsAndDormantProcesses) {
  LedgerSnapshot snapshot = MadeUpSnapshot({});
  auto tables = std::make_shared<SnapshotTables>(*snapshot.tables);
  tables->modules.emplace_back().path = "/usr/lib/libjemalloc.so.2";
  snapshot.tables = tables;
  EXPECT_FALSE(MeasuredTarget(*WithSnapshot(snapshot)).heap->glibc_malloc);
  snapshot.mode = MeasureMode::kDormant;
  EXPECT_FALSE(MeasuredTarget(*WithSnapshot(snapshot)).heap)
      << "its zeros mean that nobody looked";
}

}  // namespace
}  // namespace heapledger::collector
