// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/process_collector.h"

#include <string>
#include <utility>
#include <vector>

namespace heapledger::collector {
namespace {

double Seconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e9;
}

std::string ExecutableBuildId(const LedgerSnapshot& snapshot) {
  for (const ModuleInfo& module : snapshot.tables->modules) {
    if (module.path == snapshot.identity.exe) {
      return BuildIdHex(module.build_id);
    }
  }
  return "";
}

// The families that describe heaps, filled process by process. All of them are
// estimates for a process that is sampled.
struct HeapFamilies {
  Family live_bytes = Family::Gauge(
      "heapledger_heap_live_bytes",
      "Bytes allocated and not yet freed, as requested by the program: "
      "inherited + allocated - freed. An estimate, as all figures of the "
      "process, where heapledger_ledger_sample_bytes is not 0; absent while a "
      "process is dormant that was never armed.");
  Family live_objects = Family::Gauge("heapledger_heap_live_objects",
                                      "Blocks allocated and not yet freed.");
  Family inherited_bytes = Family::Gauge(
      "heapledger_heap_inherited_bytes",
      "Bytes that were live at the fork that made the process; in none of the "
      "totals of allocations.");
  Family inherited_objects =
      Family::Gauge("heapledger_heap_inherited_objects",
                    "Blocks that were live at the fork that made the process.");
  Family peak_bytes =
      Family::Gauge("heapledger_heap_peak_bytes",
                    "Most bytes that were live at once since the start; an "
                    "estimate where heapledger_ledger_sample_bytes is not 0.");
  Family allocated_bytes =
      Family::Counter("heapledger_heap_allocated_bytes_total",
                      "Bytes allocated since the start; an estimate where "
                      "heapledger_ledger_sample_bytes is not 0.");
  Family freed_bytes = Family::Counter(
      "heapledger_heap_freed_bytes_total",
      "Bytes freed since the start; an "
      "estimate where heapledger_ledger_sample_bytes is not 0.");
  Family allocations =
      Family::Counter("heapledger_heap_allocations_total",
                      "Blocks allocated since the start; an estimate where "
                      "heapledger_ledger_sample_bytes is not 0.");
  Family frees =
      Family::Counter("heapledger_heap_frees_total",
                      "Blocks freed since the start; an estimate where "
                      "heapledger_ledger_sample_bytes is not 0.");
  Family cut_bytes = Family::Gauge(
      "heapledger_cut_stack_live_bytes",
      "Part of heapledger_heap_live_bytes whose callsites lack their outer "
      "frames, left out by adaptive depth.");
  Family growth = Family::Gauge("heapledger_heap_growth_bytes_per_second",
                                "Robust slope (Theil-Sen) of the live bytes "
                                "over the window; absent until "
                                "a third of the window has passed.");

  void Add(const ProcessView& process, const MetricLabels& labels) {
    // Zeros would say that the heap is empty.
    if (process.snapshot->never_armed()) return;
    const HeapCounters& totals = process.snapshot->totals;
    live_bytes.Add(labels, totals.live_bytes());
    live_objects.Add(labels, totals.live_objects());
    inherited_bytes.Add(labels, totals.inherited_bytes);
    inherited_objects.Add(labels, totals.inherited_objects);
    peak_bytes.Add(labels, process.snapshot->peak_live_bytes);
    allocated_bytes.Add(labels, totals.allocated_bytes);
    freed_bytes.Add(labels, totals.freed_bytes);
    allocations.Add(labels, totals.allocated_objects);
    frees.Add(labels, totals.freed_objects);
    cut_bytes.Add(labels, process.snapshot->cut.live_bytes());
    for (std::size_t i = 0; i < kGrowthWindows.size(); ++i) {
      if (!process.growth[i]) continue;
      growth.Add(With(labels, "window", kGrowthWindows[i].label),
                 *process.growth[i]);
    }
  }
};

// The families that describe the measurement itself.
struct LedgerFamilies {
  Family info = Family::Gauge(
      "heapledger_process_info",
      "1 for every process that is measured; join on process and pid.");
  Family start =
      Family::Gauge("heapledger_process_start_time_seconds",
                    "When the ledger of the process was begun, in Unix time; "
                    "one that was dormant then measures only since "
                    "heapledger_ledger_armed_timestamp_seconds.");
  Family sample_bytes = Family::Gauge(
      "heapledger_ledger_sample_bytes",
      "Mean bytes between the samples that all figures of the process are "
      "estimated from; 0 where they are exact.");
  Family armed = Family::Gauge(
      "heapledger_ledger_armed_timestamp_seconds",
      "When a process that was dormant was last armed, in Unix time; blocks "
      "from dormant times are in no figure. Absent where never armed.");
  Family disarmed = Family::Gauge(
      "heapledger_ledger_disarmed_timestamp_seconds",
      "When the process was last disarmed, in Unix time: no new block is "
      "followed until it is armed again. Absent where never disarmed.");
  Family taken =
      Family::Gauge("heapledger_last_snapshot_timestamp_seconds",
                    "When the figures of the process were read, in Unix time.");
  Family bytes = Family::Gauge("heapledger_ledger_bytes",
                               "Memory that the ledger of the process takes.");
  Family capacity = Family::Gauge(
      "heapledger_ledger_capacity_ratio",
      "Share of the ledger's largest size that is taken; at 1 new "
      "callsites are no longer told apart.");
  Family corrupt = Family::Gauge(
      "heapledger_ledger_corrupt_records",
      "Records of the ledger left out because they made no sense.");
  Family degraded = Family::Gauge(
      "heapledger_degraded",
      "Events in which detail was given up since the start, by reason; counts "
      "of memory stay right unless the reason says otherwise.");

  void Add(const ProcessView& process, const MetricLabels& labels) {
    const LedgerSnapshot& snapshot = *process.snapshot;
    MetricLabels details = With(labels, "exe", snapshot.identity.exe);
    details = With(std::move(details), "build_id", ExecutableBuildId(snapshot));
    info.Add(With(std::move(details), "mode", ModeWord(snapshot.mode)), 1.0);
    start.Add(labels, Seconds(snapshot.identity.created_realtime_ns));
    sample_bytes.Add(labels, std::uint64_t{snapshot.sample_bytes});
    if (snapshot.armed_realtime_ns != 0) {
      armed.Add(labels, Seconds(snapshot.armed_realtime_ns));
    }
    if (snapshot.disarmed_realtime_ns != 0) {
      disarmed.Add(labels, Seconds(snapshot.disarmed_realtime_ns));
    }
    taken.Add(labels, Seconds(snapshot.taken_realtime_ns));
    bytes.Add(labels, snapshot.ledger_bytes);
    if (snapshot.cap_bytes > 0) {
      capacity.Add(labels, static_cast<double>(snapshot.ledger_bytes) /
                               static_cast<double>(snapshot.cap_bytes));
    }
    corrupt.Add(labels, snapshot.corrupt_records);
    for (std::size_t kind = 0; kind < kDegradedKinds; ++kind) {
      const std::string reason = DegradedWord(kind);
      // Named kinds always, so that an increase from zero can be seen.
      if (snapshot.degraded[kind] == 0 && reason.starts_with("unknown")) {
        continue;
      }
      degraded.Add(With(labels, "reason", reason), snapshot.degraded[kind]);
    }
  }
};

class ProcessCollector final : public MetricCollector {
 public:
  explicit ProcessCollector(const HostSource* source) : source_(source) {}

  std::string_view name() const override { return "heap"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    HeapFamilies heap;
    LedgerFamilies ledger;
    for (const auto& process : source_->host()->processes) {
      const MetricLabels labels = ProcessLabels(*process);
      heap.Add(*process, labels);
      ledger.Add(*process, labels);
    }
    return TakeFamilies(
        std::move(ledger.info), std::move(ledger.start),
        std::move(ledger.sample_bytes), std::move(ledger.armed),
        std::move(ledger.disarmed), std::move(heap.live_bytes),
        std::move(heap.live_objects), std::move(heap.inherited_bytes),
        std::move(heap.inherited_objects), std::move(heap.peak_bytes),
        std::move(heap.allocated_bytes), std::move(heap.freed_bytes),
        std::move(heap.allocations), std::move(heap.frees),
        std::move(heap.cut_bytes), std::move(heap.growth),
        std::move(ledger.bytes), std::move(ledger.capacity),
        std::move(ledger.corrupt), std::move(ledger.degraded),
        std::move(ledger.taken));
  }

 private:
  const HostSource* source_;
};

}  // namespace

MetricLabels ProcessLabels(const ProcessView& process) {
  const LedgerIdentity& identity = process.snapshot->identity;
  return {{"process", identity.Program()},
          {"pid", std::to_string(identity.pid)}};
}

std::unique_ptr<MetricCollector> MakeProcessCollector(
    const HostSource* source) {
  return std::make_unique<ProcessCollector>(source);
}

}  // namespace heapledger::collector
