// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/process_memory_collector.h"

#include <string>
#include <utility>

#include "collector/exporter/families.h"

namespace heapledger::collector {
namespace {

double Seconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e9;
}

// What /proc has of every process.
struct SeedFamilies {
  explicit SeedFamilies(MetricNames names)
      : usage(Family::Gauge(
            SeedName(names, "memory_usage_bytes"),
            "Memory of the process by type; the types overlap, so do not sum "
            "over them: rss is part of vms, shared of rss, text, lib and data "
            "of vms (mapped, not resident), uss of pss of rss. dirty, pss and "
            "uss are up to a minute old and absent for very large "
            "processes.")),
        rss(Gauge(names, "rss_bytes", "Resident memory of the process.")),
        vms(Gauge(names, "vms_bytes", "Address space of the process.")),
        shared(Gauge(names, "shared_bytes",
                     "Resident memory of the process that is backed by files "
                     "or shared memory; part of process_memory_rss_bytes.")),
        text(Gauge(names, "text_bytes",
                   "Code of the executable, mapped; not all of it resident.")),
        data(Gauge(names, "data_bytes",
                   "Private writable memory of the process and its stack, "
                   "mapped; not all of it resident.")),
        dirty(Gauge(names, "dirty_bytes",
                    "Resident pages of the process that were written to, at "
                    "the last walk over its pages: at most once a minute, and "
                    "never for very large processes.")),
        percent(Gauge(names, "percent",
                      "100 times heapledger_memory_usage_ratio.")),
        growth(Gauge(names, "growth_rate_bytes_per_second",
                     "Robust slope (Theil-Sen) of the resident memory over 5 "
                     "minutes; absent until a third of them has passed.")),
        growth_alias(Family::Gauge(
            SeedName(names, "memory_growth_rate_bytes_per_second"),
            "The same as process_memory_growth_rate_bytes_per_second.")),
        peak(Gauge(names, "peak_rss_bytes",
                   "Most resident memory that the process ever had.")) {}

  void Add(const TargetSample& target, const MetricLabels& labels) {
    const ProcessMemory& memory = target.memory;
    const auto type = [&](const char* word, std::uint64_t bytes) {
      usage.Add(With(labels, "type", word), bytes);
    };
    type("rss", memory.resident());
    type("vms", memory.virtual_size);
    type("shared", memory.shared());
    type("text", memory.text);
    type("lib", memory.lib);
    type("data", memory.data);
    type("swap", memory.swap);
    if (target.pages) {
      type("dirty", target.pages->dirty);
      type("pss", target.pages->pss);
      type("uss", target.pages->uss);
      dirty.Add(labels, target.pages->dirty);
    }
    rss.Add(labels, memory.resident());
    vms.Add(labels, memory.virtual_size);
    shared.Add(labels, memory.shared());
    text.Add(labels, memory.text);
    data.Add(labels, memory.data);
    peak.Add(labels, memory.peak_resident);
    if (const auto ratio = target.usage_ratio()) {
      percent.Add(labels, 100 * *ratio);
    }
    if (target.growth_bytes_per_second) {
      growth.Add(labels, *target.growth_bytes_per_second);
      growth_alias.Add(labels, *target.growth_bytes_per_second);
    }
  }

  Family usage, rss, vms, shared, text, data, dirty, percent, growth,
      growth_alias, peak;

 private:
  static Family Gauge(MetricNames names, const std::string& what,
                      const char* help) {
    return Family::Gauge(SeedName(names, "process_memory_" + what), help);
  }
};

// What a process can come to, and how it was looked at.
struct RoomFamilies {
  Family limit = Family::Gauge(
      "heapledger_memory_limit_bytes",
      "Memory that the process can come to: the smallest of the limits of its "
      "cgroups, its RLIMIT_AS and the host's memory.");
  Family headroom = Family::Gauge(
      "heapledger_memory_headroom_bytes",
      "Memory that is left to the process before a limit or the host is at its "
      "end: the least that its cgroups (limit less working set), its RLIMIT_AS "
      "or the host leave. Processes of one cgroup share it: do not add.");
  Family ratio = Family::Gauge("heapledger_memory_usage_ratio",
                               "1 - heapledger_memory_headroom_bytes / "
                               "heapledger_memory_limit_bytes.");
  Family minor_faults =
      Family::Counter("heapledger_process_minor_faults_total",
                      "Page faults of the process that read nothing.");
  Family major_faults = Family::Counter(
      "heapledger_process_major_faults_total",
      "Page faults of the process that had to read from a disk.");
  Family descriptors =
      Family::Gauge("heapledger_process_open_fds",
                    "Open descriptors of the process, up to 10 seconds old.");
  Family sampled = Family::Gauge(
      "heapledger_target_last_sample_timestamp_seconds",
      "When the memory of the process was last read, in Unix time.");
  Family walked = Family::Gauge(
      "heapledger_target_last_page_walk_timestamp_seconds",
      "When the pages of the process were last walked, in Unix time; absent "
      "where they were not.");

  void Add(const TargetSample& target, const MetricLabels& labels) {
    if (target.limit) limit.Add(labels, *target.limit);
    if (target.headroom) headroom.Add(labels, *target.headroom);
    if (const auto value = target.usage_ratio()) ratio.Add(labels, *value);
    minor_faults.Add(labels, target.minor_faults);
    major_faults.Add(labels, target.major_faults);
    if (target.descriptors) descriptors.Add(labels, *target.descriptors);
    sampled.Add(labels, Seconds(target.taken_realtime_ns));
    if (target.pages) walked.Add(labels, Seconds(target.walked_realtime_ns));
  }
};

// Where resident memory goes.
struct PartFamilies {
  Family parts = Family::Gauge(
      "heapledger_resident_bytes",
      "Resident memory of a process under the shim by what it is for; the sum "
      "is process_memory_rss_bytes. live: blocks that the program holds; "
      "allocator_metadata: their headers and rounding, estimated; "
      "allocator_retained: the rest of malloc's areas, at least (both only "
      "over glibc's malloc, else in other); ledger: the ledger and the shim's "
      "large "
      "tables; stack: what lies behind guard pages; file: files and shared "
      "memory; other: the program's own mappings, its data segments. Which "
      "mapping is what is looked up once a minute; growth since counts as "
      "malloc's.");
  Family heap_resident = Family::Gauge(
      "heapledger_heap_resident_bytes",
      "Resident memory of glibc's malloc: live blocks, their overhead and what "
      "it retains. An estimate where the program maps memory by itself; absent "
      "over other allocators.");
  Family heap_mapped =
      Family::Gauge("heapledger_heap_mapped_bytes",
                    "Address space of the areas of glibc's malloc and the "
                    "blocks that it mapped; absent over other allocators.");

  void Add(const ResidentParts& split, const MetricLabels& labels) {
    const auto part = [&](const char* word, std::uint64_t bytes) {
      parts.Add(With(labels, "part", word), bytes);
    };
    part("live", split.live);
    if (split.allocator_retained) {
      part("allocator_retained", *split.allocator_retained);
    }
    if (split.allocator_metadata) {
      part("allocator_metadata", *split.allocator_metadata);
    }
    part("ledger", split.ledger);
    part("stack", split.stack);
    part("file", split.file);
    part("other", split.other);
    if (const auto resident = split.heap_resident()) {
      heap_resident.Add(labels, *resident);
    }
    if (split.heap_mapped) heap_mapped.Add(labels, *split.heap_mapped);
  }
};

class ProcessMemoryCollector final : public MetricCollector {
 public:
  ProcessMemoryCollector(const SystemSource* source, MetricNames names)
      : source_(source), names_(names) {}

  std::string_view name() const override { return "process_memory"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    SeedFamilies seed(names_);
    RoomFamilies room;
    PartFamilies parts;
    for (const TargetSample& target : source_->view()->targets) {
      const MetricLabels labels = {{"process", target.process},
                                   {"pid", std::to_string(target.pid)}};
      seed.Add(target, labels);
      room.Add(target, labels);
      if (target.parts) parts.Add(*target.parts, labels);
    }
    return TakeFamilies(
        std::move(seed.usage), std::move(seed.rss), std::move(seed.vms),
        std::move(seed.shared), std::move(seed.text), std::move(seed.data),
        std::move(seed.dirty), std::move(seed.percent), std::move(seed.growth),
        std::move(seed.growth_alias), std::move(seed.peak),
        std::move(room.limit), std::move(room.headroom), std::move(room.ratio),
        std::move(room.minor_faults), std::move(room.major_faults),
        std::move(room.descriptors), std::move(room.sampled),
        std::move(room.walked), std::move(parts.parts),
        std::move(parts.heap_resident), std::move(parts.heap_mapped));
  }

 private:
  const SystemSource* source_;
  const MetricNames names_;
};

}  // namespace

std::unique_ptr<MetricCollector> MakeProcessMemoryCollector(
    const SystemSource* source, MetricNames names) {
  return std::make_unique<ProcessMemoryCollector>(source, names);
}

}  // namespace heapledger::collector
