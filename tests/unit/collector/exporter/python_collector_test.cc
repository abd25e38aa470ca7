// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/python_collector.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/support/host_view.h"

namespace heapledger::collector {
namespace {

using Series = std::map<std::string, double>;

class PythonCollectorTest : public ::testing::Test {
 protected:
  // A measured process of pid 42 whose ledger has this of Python.
  void Measure(std::shared_ptr<const PythonFigures> python) {
    auto host = std::make_shared<HostView>();
    auto process = MakeUp(std::move(python));
    host->processes.push_back(process);
    source_.Publish(host);
  }

  static std::shared_ptr<ProcessView> MakeUp(
      std::shared_ptr<const PythonFigures> python) {
    auto process = MadeUpView({});
    auto snapshot = std::make_shared<LedgerSnapshot>(*process->snapshot);
    snapshot->python = std::move(python);
    process->snapshot = snapshot;
    return process;
  }

  static std::shared_ptr<PythonFigures> Helper() {
    auto figures = std::make_shared<PythonFigures>();
    figures->state = PythonHelperState::kOn;
    figures->version = {3, 11, 2};
    figures->held_ns = 2'000'000'000;
    auto& generations = figures->generations.emplace();
    for (auto& [counts, durations] : generations) {
      counts = {10, 70, 1, 5, 700};
      durations.total_ns = 3'000'000'000;
      durations.buckets = {{1'000'000, 6}, {~std::uint64_t{0}, 4}};
    }
    figures->heap.emplace();
    figures->heap->realtime_ns = 1;
    figures->heap->blocks = 900;
    figures->heap->arena_bytes = 1000;
    figures->heap->block_bytes = 400;
    figures->heap->size_classes = {{16, 25}};
    figures->types.emplace();
    figures->types->realtime_ns = 1;
    figures->types->objects = 100;
    figures->types->named = {{"dict", 60}, {"Order", 30}};
    return figures;
  }

  void LookFromOutside(std::uint32_t pid, python::Refusal refusal) {
    auto view = std::make_shared<python::View>();
    python::Sample sample;
    sample.target = {pid, 0, "worker"};
    sample.refusal = refusal;
    if (refusal == python::Refusal::kNone) {
      sample.runtime.emplace();
      sample.runtime->version = {3, 12, 1};
      sample.runtime->interpreters = 2;
      for (auto& counts : sample.runtime->generations) {
        counts = {11, 77, 0, 6, 800};
      }
    }
    view->samples.push_back(sample);
    outside_.Publish(view);
  }

  // "family label label" -> value, without process and pid.
  static Series SeriesOf(MetricCollector& collector) {
    Series series;
    const auto families = collector.Collect();
    for (const auto& family : *families) {
      for (const auto& metric : family.metric) {
        std::string key = family.name;
        for (const auto& label : metric.label) {
          if (label.name == "pid" || label.name == "process") continue;
          key += " " + label.value;
        }
        series[key] = metric.counter.value + metric.gauge.value +
                      metric.histogram.sample_sum;
      }
    }
    return series;
  }
  Series Python(ObjectsAlias alias = ObjectsAlias::kNo) {
    return SeriesOf(
        *MakePythonCollector(&source_, &outside_, MetricNames::kSeed, alias));
  }
  Series Gc() {
    return SeriesOf(
        *MakePythonGcCollector(&source_, &outside_, MetricNames::kSeed));
  }

  HostSource source_;
  PythonSource outside_;
};

TEST_F(PythonCollectorTest, ServesWhatTheHelperKnows) {
  Measure(Helper());
  const Series python = Python();
  EXPECT_TRUE(
      python.contains("heapledger_python_info CPython 3.11.2 helper none"));
  EXPECT_EQ(python.at("heapledger_python_helper_seconds_total held"), 2);
  EXPECT_EQ(python.at("python_memory_heap_size_bytes"), 1000);
  EXPECT_EQ(python.at("python_memory_heap_free_bytes"), 600);
  EXPECT_EQ(python.at("python_memory_blocks"), 900);
  EXPECT_EQ(python.at("python_memory_size_class_blocks 16"), 25);
  EXPECT_EQ(python.at("python_memory_objects dict"), 60);
  EXPECT_EQ(python.at("python_memory_objects _other"), 10);
  EXPECT_FALSE(python.contains("python_memory_objects_total dict"));
  const Series gc = Gc();
  EXPECT_EQ(gc.at("python_gc_collections_total 2"), 10);
  EXPECT_EQ(gc.at("python_gc_time_seconds_total 2"), 3);
  EXPECT_EQ(gc.at("heapledger_python_gc_duration_seconds 2"), 3);
  EXPECT_EQ(gc.at("python_memory_reference_cycles_total"), 3 * 71);
}

TEST_F(PythonCollectorTest, HasTheFormerNameOfObjectsOnRequest) {
  Measure(Helper());
  EXPECT_EQ(Python(ObjectsAlias::kYes).at("python_memory_objects_total Order"),
            30);
}

TEST_F(PythonCollectorTest, HasNoHeapWithoutPymalloc) {
  auto figures = Helper();
  figures->heap->arena_bytes = 0;
  figures->heap->block_bytes = 0;
  Measure(figures);
  const Series python = Python();
  EXPECT_FALSE(python.contains("python_memory_heap_size_bytes"));
  EXPECT_EQ(python.at("python_memory_blocks"), 900);
}

TEST_F(PythonCollectorTest, ReadsAWatchedProcessFromOutside) {
  LookFromOutside(77, python::Refusal::kNone);
  const Series python = Python();
  EXPECT_TRUE(python.contains(
      "heapledger_python_info CPython 3.12.1 outside not_asked"));
  EXPECT_EQ(python.at("heapledger_python_interpreters"), 2);
  const Series gc = Gc();
  EXPECT_EQ(gc.at("python_gc_objects_collected_total 0"), 77);
  EXPECT_FALSE(gc.contains("python_gc_time_seconds_total 0"))
      << "nobody took the time";
}

TEST_F(PythonCollectorTest, TakesCountersFromOutsideAndTheRestFromTheHelper) {
  Measure(Helper());
  LookFromOutside(42, python::Refusal::kNone);
  const Series gc = Gc();
  EXPECT_EQ(gc.at("python_gc_collections_total 1"), 10);
  EXPECT_EQ(gc.at("heapledger_python_gc_pending 1"), 6);
  EXPECT_EQ(Python().count("heapledger_python_info CPython 3.11.2 helper none"),
            1U);
}

TEST_F(PythonCollectorTest, SaysWhyNothingIsRead) {
  LookFromOutside(77, python::Refusal::kPermission);
  EXPECT_TRUE(
      Python().contains("heapledger_python_info CPython  off permission"));
  EXPECT_TRUE(Gc().empty());
}

TEST_F(PythonCollectorTest, FallsBackWhereTheHelperIsOff) {
  auto figures = Helper();
  figures->state = PythonHelperState::kOff;
  figures->reason = 6;
  Measure(figures);
  EXPECT_TRUE(
      Python().contains("heapledger_python_info CPython  off finalized"));
  LookFromOutside(42, python::Refusal::kNone);
  EXPECT_TRUE(Python().contains(
      "heapledger_python_info CPython 3.12.1 outside finalized"));
  EXPECT_EQ(Gc().at("python_gc_collections_total 0"), 11);
}

TEST_F(PythonCollectorTest, HasNothingOfOtherPrograms) {
  Measure(nullptr);
  EXPECT_TRUE(Python().empty());
  EXPECT_TRUE(Gc().empty());
}

}  // namespace
}  // namespace heapledger::collector
