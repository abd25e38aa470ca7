// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/python_collector.h"

#include <string>
#include <utility>

#include "collector/exporter/families.h"
#include "collector/exporter/python_rows.h"

namespace heapledger::collector {
namespace {

double Seconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e9;
}

struct InterpreterFamilies {
  Family info = Family::Gauge(
      "heapledger_python_info",
      "1 for every process with a CPython interpreter. read: helper (a thread "
      "in it, see heapledger run --python), outside (its memory is read; no "
      "times, heap or objects then), off. reason: why it is not better.");
  Family interpreters = Family::Gauge(
      "heapledger_python_interpreters",
      "Interpreters of the process, the main one included. Figures of the "
      "collector are of the main one.");
  Family helper = Family::Counter(
      "heapledger_python_helper_seconds_total",
      "Time of the helper thread with the interpreter's lock (held) and "
      "waiting for it (waited), and of its callback in collections "
      "(callback).");

  void Add(const PythonRow& row) {
    MetricLabels labels = With(row.labels, "implementation", "CPython");
    labels = With(std::move(labels), "version", row.version);
    labels = With(std::move(labels), "read", row.read);
    info.Add(With(std::move(labels), "reason", row.reason), 1.0);
    if (row.interpreters) {
      interpreters.Add(row.labels, std::uint64_t{*row.interpreters});
    }
    if (row.helper == nullptr) return;
    const auto cost = [&](std::string_view what, std::uint64_t ns) {
      helper.Add(With(row.labels, "what", what), Seconds(ns));
    };
    cost("held", row.helper->held_ns);
    cost("waited", row.helper->waited_ns);
    cost("callback", row.helper->callback_ns);
  }
};

struct HeapFamilies {
  const MetricNames names;
  Family size = Family::Gauge(
      SeedName(names, "python_memory_heap_size_bytes"),
      "Arenas of the object allocator (pymalloc). Objects above 512 bytes are "
      "not in them but malloc's.");
  Family free = Family::Gauge(
      SeedName(names, "python_memory_heap_free_bytes"),
      "Part of python_memory_heap_size_bytes that holds no object: free blocks "
      "and pools, their headers and rounding.");
  Family blocks = Family::Gauge(
      SeedName(names, "python_memory_blocks"),
      "Blocks in use, as sys.getallocatedblocks() has them: all objects of up "
      "to 512 bytes, those included that the garbage collector does not "
      "track.");
  Family classes =
      Family::Gauge(SeedName(names, "python_memory_size_class_blocks"),
                    "Blocks in use by size; the size is a block's, in bytes.");
  Family taken = Family::Gauge("heapledger_python_heap_timestamp_seconds",
                               "When the object allocator was last asked, in "
                               "Unix time.");

  void Add(const PythonHeap& heap, const MetricLabels& labels) {
    blocks.Add(labels, heap.blocks);
    taken.Add(labels, Seconds(heap.realtime_ns));
    if (heap.arena_bytes == 0) return;  // without pymalloc
    size.Add(labels, heap.arena_bytes);
    free.Add(labels, heap.arena_bytes - heap.block_bytes);
    for (const auto& [bytes, count] : heap.size_classes) {
      classes.Add(With(labels, "size", std::to_string(bytes)), count);
    }
  }
};

struct ObjectFamilies {
  const MetricNames names;
  Family objects = Family::Gauge(
      SeedName(names, "python_memory_objects"),
      "Objects that the garbage collector tracks (containers, instances, "
      "functions) by type; the most numerous types, the rest as _other. "
      "Counted about once a minute.");
  Family alias =
      Family::Gauge(SeedName(names, "python_memory_objects_total"),
                    "The same as python_memory_objects, by its former name.");
  Family taken = Family::Gauge(
      "heapledger_python_objects_timestamp_seconds",
      "When the objects were last counted, in Unix time; absent where they "
      "were not, as in programs with more than four million blocks.");
  Family took =
      Family::Gauge("heapledger_python_objects_duration_seconds",
                    "Time of the last count, with the interpreter's lock.");

  void Add(const PythonTypes& types, const MetricLabels& labels,
           ObjectsAlias with_alias) {
    const auto add = [&](std::string_view type, std::uint64_t count) {
      objects.Add(With(labels, "type", type), count);
      if (with_alias == ObjectsAlias::kYes) {
        alias.Add(With(labels, "type", type), count);
      }
    };
    std::uint64_t rest = types.objects;
    for (const auto& [name, count] : types.named) {
      rest -= count;
      add(name, count);
    }
    add("_other", rest);
    taken.Add(labels, Seconds(types.realtime_ns));
    took.Add(labels, Seconds(types.duration_ns));
  }
};

class PythonCollector final : public MetricCollector {
 public:
  PythonCollector(const HostSource* source, const PythonSource* outside,
                  MetricNames names, ObjectsAlias alias)
      : source_(source), outside_(outside), names_(names), alias_(alias) {}

  std::string_view name() const override { return "python"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    InterpreterFamilies interpreters;
    HeapFamilies heaps{names_};
    ObjectFamilies objects{names_};
    for (const PythonRow& row : PythonRows(*source_, *outside_)) {
      interpreters.Add(row);
      if (row.helper == nullptr) continue;
      if (row.helper->heap) heaps.Add(*row.helper->heap, row.labels);
      if (row.helper->types) {
        objects.Add(*row.helper->types, row.labels, alias_);
      }
    }
    MetricFamilies families = TakeFamilies(
        std::move(interpreters.info), std::move(interpreters.interpreters),
        std::move(interpreters.helper), std::move(heaps.size),
        std::move(heaps.free), std::move(heaps.blocks),
        std::move(heaps.classes), std::move(heaps.taken),
        std::move(objects.objects), std::move(objects.taken),
        std::move(objects.took));
    if (alias_ == ObjectsAlias::kYes) {
      families.push_back(std::move(objects.alias).Take());
    }
    return families;
  }

 private:
  const HostSource* source_;
  const PythonSource* outside_;
  const MetricNames names_;
  const ObjectsAlias alias_;
};

struct GcFamilies {
  const MetricNames names;
  Family collections =
      Family::Counter(SeedName(names, "python_gc_collections_total"),
                      "Collections by the generation they were of.");
  Family collected =
      Family::Counter(SeedName(names, "python_gc_objects_collected_total"),
                      "Objects that collections found unreachable and freed.");
  Family uncollectable = Family::Counter(
      SeedName(names, "python_gc_objects_uncollectable_total"),
      "Objects that collections found unreachable and could not free.");
  Family cycles = Family::Counter(
      SeedName(names, "python_memory_reference_cycles_total"),
      "Objects that the collector found unreachable in cycles, freed or not; "
      "a cycle of several objects counts as many times.");
  Family seconds = Family::Counter(
      SeedName(names, "python_gc_time_seconds_total"),
      "Time in collections since the helper thread was installed; absent "
      "without one.");
  Family durations =
      Family::Histogram("heapledger_python_gc_duration_seconds",
                        "Collections since the helper thread was installed, "
                        "by their duration.");
  Family counter = Family::Gauge(
      "heapledger_python_gc_pending",
      "What gc.get_count() gives: container objects made less freed since the "
      "last collection of generation 0; of the others, collections of the "
      "generation before.");
  Family threshold = Family::Gauge(
      "heapledger_python_gc_threshold",
      "What gc.get_threshold() gives: the counter above which a collection "
      "is due.");
  Family enabled = Family::Gauge("heapledger_python_gc_enabled",
                                 "Whether automatic collection is on.");

  void Add(const PythonRow& row) {
    if (row.collector_enabled) {
      enabled.Add(row.labels, *row.collector_enabled ? 1.0 : 0.0);
    }
    std::uint64_t unreachable = 0;
    for (std::size_t i = 0; i < kPythonGenerationCount; ++i) {
      const MetricLabels labels =
          With(row.labels, "generation", std::to_string(i));
      const PythonCollections& counts = (*row.generations)[i];
      collections.Add(labels, counts.collections);
      collected.Add(labels, counts.collected);
      uncollectable.Add(labels, counts.uncollectable);
      counter.Add(labels, counts.counter);
      threshold.Add(labels, counts.threshold);
      unreachable += counts.collected + counts.uncollectable;
      if (row.helper == nullptr) continue;
      AddDurations((*row.helper->generations)[i].second, labels);
    }
    cycles.Add(row.labels, unreachable);
  }

  void AddDurations(const PythonDurations& taken, const MetricLabels& labels) {
    seconds.Add(labels, Seconds(taken.total_ns));
    std::vector<std::pair<double, std::uint64_t>> buckets;
    std::uint64_t count = 0;
    for (const auto& [bound_ns, collections_below] : taken.buckets) {
      count += collections_below;
      buckets.emplace_back(Seconds(bound_ns), count);
    }
    buckets.pop_back();  // without a bound: the count
    durations.AddHistogram(labels, buckets, count, Seconds(taken.total_ns));
  }
};

class PythonGcCollector final : public MetricCollector {
 public:
  PythonGcCollector(const HostSource* source, const PythonSource* outside,
                    MetricNames names)
      : source_(source), outside_(outside), names_(names) {}

  std::string_view name() const override { return "python_gc"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    GcFamilies gc{names_};
    for (const PythonRow& row : PythonRows(*source_, *outside_)) {
      if (row.generations) gc.Add(row);
    }
    return TakeFamilies(std::move(gc.collections), std::move(gc.collected),
                        std::move(gc.uncollectable), std::move(gc.cycles),
                        std::move(gc.seconds), std::move(gc.durations),
                        std::move(gc.counter), std::move(gc.threshold),
                        std::move(gc.enabled));
  }

 private:
  const HostSource* source_;
  const PythonSource* outside_;
  const MetricNames names_;
};

}  // namespace

std::unique_ptr<MetricCollector> MakePythonCollector(
    const HostSource* source, const PythonSource* outside, MetricNames names,
    ObjectsAlias alias) {
  return std::make_unique<PythonCollector>(source, outside, names, alias);
}

std::unique_ptr<MetricCollector> MakePythonGcCollector(
    const HostSource* source, const PythonSource* outside, MetricNames names) {
  return std::make_unique<PythonGcCollector>(source, outside, names);
}

}  // namespace heapledger::collector
