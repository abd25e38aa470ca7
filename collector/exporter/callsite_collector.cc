// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/callsite_collector.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "collector/exporter/families.h"
#include "collector/exporter/process_collector.h"

namespace heapledger::collector {
namespace {

// The window of heapledger_callsite_growth_bytes_per_second: long enough to
// tell a leak from a burst, short enough to show one within minutes.
constexpr std::size_t kGrowthWindow = 1;
static_assert(kGrowthWindows[kGrowthWindow].label == "5m");

std::vector<MetricTable::Column> Columns() {
  using prometheus::MetricType;
  return {
      {"heapledger_callsite_live_bytes",
       "Bytes allocated by this callsite and not yet freed; the sum "
       "over callsites is heapledger_heap_live_bytes. An estimate, as all "
       "figures of callsites, where heapledger_ledger_sample_bytes is not 0.",
       MetricType::Gauge},
      {"heapledger_callsite_live_objects",
       "Blocks allocated by this callsite and not yet freed; the sum over "
       "callsites is heapledger_heap_live_objects.",
       MetricType::Gauge},
      {"heapledger_callsite_allocated_bytes_total",
       "Bytes allocated by this callsite since the start; _other "
       "falls when a callsite gets series of its own.",
       MetricType::Counter},
      {"heapledger_callsite_allocations_total",
       "Blocks allocated by this callsite since the start; _other "
       "falls when a callsite gets series of its own.",
       MetricType::Counter},
      {"heapledger_callsite_growth_bytes_per_second",
       "Robust slope (Theil-Sen) of the callsite's live bytes over 5 minutes.",
       MetricType::Gauge}};
}

void AddRow(const MetricLabels& labels, const HeapCounters& counters,
            std::optional<double> growth, MetricTable* table) {
  const auto number = [](std::uint64_t value) {
    return static_cast<double>(value);
  };
  const std::array<std::optional<double>, 5> values = {
      number(counters.live_bytes()), number(counters.live_objects()),
      number(counters.allocated_bytes), number(counters.allocated_objects),
      growth};
  table->AddRow(labels, values);
}

class CallsiteCollector final : public MetricCollector {
 public:
  CallsiteCollector(const HostSource* source, std::size_t max_callsites,
                    DroppedSeries* dropped)
      : source_(source), max_callsites_(max_callsites), dropped_(dropped) {}

  std::string_view name() const override { return "callsites"; }

  absl::StatusOr<MetricFamilies> Collect() override { return MetricFamilies(); }

  absl::StatusOr<std::vector<MetricTable>> CollectTables() override {
    std::vector<MetricTable> tables;
    tables.emplace_back(Columns());
    for (const auto& process : source_->host()->processes) {
      if (process->snapshot->never_armed()) continue;
      AddProcess(*process, &tables.front());
    }
    return tables;
  }

 private:
  void AddProcess(const ProcessView& process, MetricTable* table) {
    // One set of labels, filled anew for every callsite.
    MetricLabels labels = CallsiteLabels(ProcessLabels(process), "", "", "");
    const std::size_t own = labels.size() - 3;
    HeapCounters other = process.other;
    const std::size_t shown = std::min(process.top.size(), max_callsites_);
    for (std::size_t i = 0; i < process.top.size(); ++i) {
      const CallsiteView& callsite = process.top[i];
      if (i >= shown) {
        other += callsite.counters;
        continue;
      }
      labels[own].value = callsite.fingerprint.ToString();
      labels[own + 1].value = callsite.name.function;
      labels[own + 2].value = callsite.name.module;
      AddRow(labels, callsite.counters, callsite.growth[kGrowthWindow], table);
    }
    dropped_->Add(SeriesDrop::kCallsiteCap, process.top.size() - shown);
    AddRow(CallsiteLabels(ProcessLabels(process), "_other", "", ""), other,
           std::nullopt, table);
  }

  const HostSource* source_;
  const std::size_t max_callsites_;
  DroppedSeries* dropped_;
};

}  // namespace

MetricLabels CallsiteLabels(const MetricLabels& process,
                            std::string_view callsite,
                            std::string_view function,
                            std::string_view module) {
  MetricLabels labels = process;
  labels.push_back({"callsite", std::string(callsite)});
  labels.push_back({"function", std::string(function)});
  labels.push_back({"module", std::string(module)});
  return labels;
}

std::unique_ptr<MetricCollector> MakeCallsiteCollector(
    const HostSource* source, std::size_t max_callsites,
    DroppedSeries* dropped) {
  return std::make_unique<CallsiteCollector>(source, max_callsites, dropped);
}

}  // namespace heapledger::collector
