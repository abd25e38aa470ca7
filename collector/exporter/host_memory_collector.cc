// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/host_memory_collector.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "collector/exporter/families.h"

namespace heapledger::collector {
namespace {

double Seconds(std::uint64_t microseconds) {
  return static_cast<double>(microseconds) / 1e6;
}

void AddMemory(const HostMemory& memory, MetricNames names,
               MetricFamilies& families) {
  const auto add = [&](std::string_view name, const char* help,
                       std::uint64_t bytes) {
    Family family = Family::Gauge(SeedName(names, name), help);
    family.Add({}, bytes);
    families.push_back(std::move(family).Take());
  };
  add("memory_total_bytes", "Memory of the host.", memory.total);
  add("memory_available_bytes",
      "Memory of the host that programs can have without swapping, as the "
      "kernel estimates it. The basis of alerts is "
      "heapledger_memory_headroom_bytes, which knows of limits.",
      memory.available);
  add("memory_buffers_bytes", "Buffers of the host's block devices.",
      memory.buffers);
  add("memory_cached_bytes",
      "Page cache of the host; most of it is available, so do not add it to "
      "memory_available_bytes.",
      memory.cached);
  add("memory_swap_used_bytes", "Swap of the host that is used.",
      memory.swap_total > memory.swap_free
          ? memory.swap_total - memory.swap_free
          : 0);
  add("memory_swap_free_bytes",
      "Swap of the host that is free; with memory_swap_used_bytes all of it.",
      memory.swap_free);
  add("memory_commit_limit_bytes",
      "Memory that the host would promise under strict accounting "
      "(vm.overcommit_memory 2).",
      memory.commit_limit);
  add("memory_committed_as_bytes", "Memory that the host has promised.",
      memory.committed_as);
}

void AddPaging(const HostPaging& paging, MetricFamilies& families) {
  const auto add = [&](const char* name, const char* help,
                       std::uint64_t count) {
    Family family = Family::Counter(name, help);
    family.Add({}, count);
    families.push_back(std::move(family).Take());
  };
  add("heapledger_swap_in_pages_total",
      "Pages that the host read back from swap since boot: the sign that swap "
      "hurts.",
      paging.swap_in_pages);
  add("heapledger_swap_out_pages_total",
      "Pages that the host wrote to swap since boot.", paging.swap_out_pages);
  add("heapledger_faults_total",
      "Page faults of the host since boot, major ones included.",
      paging.faults);
  add("heapledger_major_faults_total",
      "Page faults of the host since boot that had to read from a disk.",
      paging.major_faults);
  add("heapledger_oom_kills_total",
      "Processes that the host's OOM killer ended since boot, in cgroups and "
      "outside.",
      paging.oom_kills);
}

void AddPressure(const SystemView& view, MetricFamilies& families) {
  Family pressure = Family::Counter(
      "heapledger_memory_pressure_seconds_total",
      "Time for which tasks waited for memory: at least one (some), or all "
      "that could have run (full). Of the host since boot, and of each cgroup "
      "with a target, its children included; do not add the two.");
  const auto add = [&pressure](const MetricLabels& labels,
                               const MemoryPressure& value) {
    pressure.Add(With(labels, "kind", "some"), Seconds(value.some_us));
    pressure.Add(With(labels, "kind", "full"), Seconds(value.full_us));
  };
  if (view.pressure) add(With({}, "scope", "host"), *view.pressure);
  for (const CgroupSample& cgroup : view.cgroups) {
    if (!cgroup.pressure) continue;
    add(With(With({}, "scope", "cgroup"), "cgroup", cgroup.name),
        *cgroup.pressure);
  }
  families.push_back(std::move(pressure).Take());
}

void AddCgroups(const SystemView& view, MetricFamilies& families) {
  Family events = Family::Counter(
      "heapledger_cgroup_memory_events_total",
      "What became of requests for memory in the cgroup of a target, as the "
      "kernel counts it; of cgroup v1 only max (failcnt) and oom_kill. Stays "
      "for 15 minutes after the last target ended.");
  Family current = Family::Gauge(
      "heapledger_cgroup_memory_bytes",
      "Memory charged to the cgroup of a target, page cache included.");
  Family working_set = Family::Gauge(
      "heapledger_cgroup_working_set_bytes",
      "heapledger_cgroup_memory_bytes without file pages that were not used "
      "lately: what counts against the limit.");
  Family limit =
      Family::Gauge("heapledger_cgroup_limit_bytes",
                    "Limit of the cgroup itself; absent where it has none.");
  Family under_oom = Family::Gauge(
      "heapledger_cgroup_under_oom",
      "1 while tasks of the cgroup are stopped for want of memory; cgroup v1 "
      "only.");
  for (const CgroupSample& cgroup : view.cgroups) {
    if (!cgroup.memory) continue;
    const MetricLabels labels = With({}, "cgroup", cgroup.name);
    for (std::size_t i = 0; i < kCgroupEventWords.size(); ++i) {
      if (!cgroup.memory->events[i]) continue;
      events.Add(With(labels, "event", kCgroupEventWords[i]),
                 *cgroup.memory->events[i]);
    }
    current.Add(labels, cgroup.memory->current);
    working_set.Add(labels, cgroup.memory->working_set());
    if (cgroup.memory->limit) limit.Add(labels, *cgroup.memory->limit);
    if (cgroup.memory->under_oom) {
      under_oom.Add(labels, *cgroup.memory->under_oom ? 1.0 : 0.0);
    }
  }
  for (prometheus::MetricFamily& family : TakeFamilies(
           std::move(events), std::move(current), std::move(working_set),
           std::move(limit), std::move(under_oom))) {
    families.push_back(std::move(family));
  }
}

class HostMemoryCollector final : public MetricCollector {
 public:
  HostMemoryCollector(const SystemSource* source, MetricNames names)
      : source_(source), names_(names) {}

  std::string_view name() const override { return "host_memory"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    const auto view = source_->view();
    MetricFamilies families;
    if (view->taken_realtime_ns == 0) return families;
    if (!view->memory) {
      return absl::UnavailableError("read meminfo: not readable");
    }
    AddMemory(*view->memory, names_, families);
    if (view->paging) AddPaging(*view->paging, families);
    AddPressure(*view, families);
    AddCgroups(*view, families);
    return families;
  }

 private:
  const SystemSource* source_;
  const MetricNames names_;
};

}  // namespace

std::unique_ptr<MetricCollector> MakeHostMemoryCollector(
    const SystemSource* source, MetricNames names) {
  return std::make_unique<HostMemoryCollector>(source, names);
}

}  // namespace heapledger::collector
