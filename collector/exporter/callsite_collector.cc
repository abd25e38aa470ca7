// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/callsite_collector.h"

#include <algorithm>
#include <string>
#include <utility>

#include "collector/exporter/families.h"
#include "collector/exporter/process_collector.h"

namespace heapledger::collector {
namespace {

// The window of heapledger_callsite_growth_bytes_per_second: long enough to
// tell a leak from a burst, short enough to show one within minutes.
constexpr std::size_t kGrowthWindow = 1;
static_assert(kGrowthWindows[kGrowthWindow].label == "5m");

struct CallsiteFamilies {
  Family live_bytes = Family::Gauge(
      "heapledger_callsite_live_bytes",
      "Bytes allocated by this callsite and not yet freed; the sum "
      "over callsites is heapledger_heap_live_bytes. An estimate, as all "
      "figures of callsites, where heapledger_ledger_sample_bytes is not 0.");
  Family live_objects = Family::Gauge(
      "heapledger_callsite_live_objects",
      "Blocks allocated by this callsite and not yet freed; the sum over "
      "callsites is heapledger_heap_live_objects.");
  Family allocated_bytes = Family::Counter(
      "heapledger_callsite_allocated_bytes_total",
      "Bytes allocated by this callsite since the start; _other "
      "falls when a callsite gets series of its own.");
  Family allocations = Family::Counter(
      "heapledger_callsite_allocations_total",
      "Blocks allocated by this callsite since the start; _other "
      "falls when a callsite gets series of its own.");
  Family growth = Family::Gauge(
      "heapledger_callsite_growth_bytes_per_second",
      "Robust slope (Theil-Sen) of the callsite's live bytes over 5 minutes.");

  void Add(const MetricLabels& labels, const HeapCounters& counters) {
    live_bytes.Add(labels, counters.live_bytes());
    live_objects.Add(labels, counters.live_objects());
    allocated_bytes.Add(labels, counters.allocated_bytes);
    allocations.Add(labels, counters.allocated_objects);
  }
};

class CallsiteCollector final : public MetricCollector {
 public:
  CallsiteCollector(const HostSource* source, std::size_t max_callsites,
                    DroppedSeries* dropped)
      : source_(source), max_callsites_(max_callsites), dropped_(dropped) {}

  std::string_view name() const override { return "callsites"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    CallsiteFamilies families;
    for (const auto& process : source_->host()->processes) {
      if (process->snapshot->never_armed()) continue;
      AddProcess(*process, families);
    }
    return TakeFamilies(
        std::move(families.live_bytes), std::move(families.live_objects),
        std::move(families.allocated_bytes), std::move(families.allocations),
        std::move(families.growth));
  }

 private:
  void AddProcess(const ProcessView& process, CallsiteFamilies& families) {
    const MetricLabels process_labels = ProcessLabels(process);
    HeapCounters other = process.other;
    const std::size_t shown = std::min(process.top.size(), max_callsites_);
    for (std::size_t i = 0; i < process.top.size(); ++i) {
      const CallsiteView& callsite = process.top[i];
      if (i >= shown) {
        other += callsite.counters;
        continue;
      }
      const MetricLabels labels =
          CallsiteLabels(process_labels, callsite.fingerprint.ToString(),
                         callsite.name.function, callsite.name.module);
      families.Add(labels, callsite.counters);
      if (callsite.growth[kGrowthWindow]) {
        families.growth.Add(labels, *callsite.growth[kGrowthWindow]);
      }
    }
    dropped_->Add(SeriesDrop::kCallsiteCap, process.top.size() - shown);
    families.Add(CallsiteLabels(process_labels, "_other", "", ""), other);
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
