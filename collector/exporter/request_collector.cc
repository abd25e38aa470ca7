// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/request_collector.h"

#include <algorithm>
#include <utility>

#include "collector/exporter/process_collector.h"

namespace heapledger::collector {
namespace {

struct RequestFamilies {
  Family trims = Family::Counter(
      "heapledger_trims_total",
      "Times that the process had its allocator return free memory because "
      "somebody asked from outside.");
  Family refused = Family::Counter(
      "heapledger_trims_refused_total",
      "Requests for that which were not followed: too soon after the last, "
      "within a signal handler, or by a process that gave up system calls.");
  Family returned = Family::Gauge(
      "heapledger_trim_returned_bytes",
      "By how much the resident memory fell in the last one; absent before.");
  Family duration = Family::Gauge(
      "heapledger_trim_duration_seconds",
      "For how long the last one held up a thread of the process; absent "
      "before.");
  Family pressure = Family::Counter(
      "heapledger_pressure_taken_total",
      "Requests for less memory that the program itself has heard of; absent "
      "for one that never asked for any.");
  Family callbacks = Family::Counter(
      "heapledger_pressure_callback_runs_total",
      "Runs of the callbacks that the program registered for them; absent for "
      "one that never asked for any.");

  void Add(const ProcessView& process, const MetricLabels& labels) {
    const TrimFacts& trim = process.snapshot->trim;
    trims.Add(labels, trim.trims);
    refused.Add(labels, trim.refused);
    if (trim.trims != 0 && !trim.torn) {
      returned.Add(labels,
                   trim.before.resident -
                       std::min(trim.before.resident, trim.after.resident));
      duration.Add(labels, static_cast<double>(trim.duration_ns) / 1e9);
    }
    const PressureFacts& told = process.snapshot->pressure;
    if (!told.listens()) return;
    pressure.Add(labels, told.taken);
    std::uint64_t runs = 0;
    for (const PressureListenerFacts& listener : told.listeners) {
      runs += listener.runs;
    }
    callbacks.Add(labels, runs);
  }
};

class RequestCollector final : public MetricCollector {
 public:
  explicit RequestCollector(const HostSource* source) : source_(source) {}

  std::string_view name() const override { return "requests"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    RequestFamilies families;
    for (const auto& process : source_->host()->processes) {
      families.Add(*process, ProcessLabels(*process));
    }
    return TakeFamilies(
        std::move(families.trims), std::move(families.refused),
        std::move(families.returned), std::move(families.duration),
        std::move(families.pressure), std::move(families.callbacks));
  }

 private:
  const HostSource* source_;
};

}  // namespace

std::unique_ptr<MetricCollector> MakeRequestCollector(
    const HostSource* source) {
  return std::make_unique<RequestCollector>(source);
}

}  // namespace heapledger::collector
