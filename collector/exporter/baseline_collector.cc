// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/baseline_collector.h"

#include <utility>

#include "collector/exporter/families.h"

namespace heapledger::collector {
namespace {

struct BaselineFamilies {
  Family value = Family::Gauge(
      "heapledger_baseline_value",
      "A statistic of the quantity `metric` of the program, as learned: stat "
      "is mean, median, std_dev, min, max, p95, p99 or mad; slot is all, or "
      "current for the present hour of the week (UTC).");
  Family samples = Family::Gauge("heapledger_baseline_samples",
                                 "Samples that the baseline is made of.");
  Family waiting = Family::Gauge(
      "heapledger_baseline_waiting_samples",
      "Samples that wait to see whether the program grows before they count.");
  Family dropped = Family::Counter(
      "heapledger_baseline_dropped_samples_total",
      "Samples that were not learned, as the program was growing.");
  Family frozen = Family::Gauge(
      "heapledger_baseline_frozen",
      "Whether a process of the program grows, so that nothing is learned of "
      "it.");

  void Add(const baseline::ProgramFigures& program) {
    const MetricLabels process = With({}, "process", program.program);
    AddFigures(process, program.all, "all");
    if (program.slot) AddFigures(process, *program.slot, "current");
    samples.Add(process, program.samples);
    waiting.Add(process, static_cast<std::uint64_t>(program.state.waiting));
    dropped.Add(process, program.state.dropped);
    frozen.Add(process, program.state.frozen ? 1.0 : 0.0);
  }

 private:
  void AddFigures(const MetricLabels& process, const baseline::Figures& figures,
                  std::string_view slot) {
    for (std::size_t i = 0; i < baseline::kQuantities; ++i) {
      const MetricLabels metric =
          With(process, "metric", baseline::kQuantityWords[i]);
      for (const baseline::Statistic& statistic : figures[i]) {
        if (!statistic.value) continue;
        value.Add(With(With(metric, "stat", statistic.word), "slot", slot),
                  *statistic.value);
      }
    }
  }
};

class BaselineCollector final : public MetricCollector {
 public:
  explicit BaselineCollector(BaselineSource source)
      : source_(std::move(source)) {}

  std::string_view name() const override { return "baseline"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    BaselineFamilies families;
    for (const auto& program : *source_.figures()) families.Add(program);
    return TakeFamilies(std::move(families.value), std::move(families.samples),
                        std::move(families.waiting),
                        std::move(families.dropped),
                        std::move(families.frozen));
  }

 private:
  const BaselineSource source_;
};

}  // namespace

std::unique_ptr<MetricCollector> MakeBaselineCollector(BaselineSource source) {
  return std::make_unique<BaselineCollector>(std::move(source));
}

}  // namespace heapledger::collector
