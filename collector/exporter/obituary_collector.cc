// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/obituary_collector.h"

#include <utility>

#include "collector/exporter/families.h"

namespace heapledger::collector {
namespace {

class ObituaryCollector final : public MetricCollector {
 public:
  explicit ObituaryCollector(ObituarySource source)
      : source_(std::move(source)) {}

  std::string_view name() const override { return "obituaries"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    const ObituaryFigures figures = source_();
    Family sealed = Family::Counter(
        "heapledger_obituaries_total",
        "Deaths of measured processes that were sealed, by reason: oom_kill, "
        "crash, signal, exit, unknown.");
    for (const auto& [reason, count] : figures.sealed) {
      sealed.Add(With({}, "reason", reason), count);
    }
    Family failed = Family::Counter(
        "heapledger_obituary_failures_total",
        "Obituaries that could not be written when they were tried; they are "
        "tried again.");
    failed.Add({}, figures.failed);
    Family last = Family::Gauge(
        "heapledger_last_obituary_timestamp_seconds",
        "When the process died that was sealed last, in Unix time; absent "
        "until then.");
    if (figures.last_death_ns != 0) {
      last.Add({}, static_cast<double>(figures.last_death_ns) / 1e9);
    }
    return TakeFamilies(std::move(sealed), std::move(failed), std::move(last));
  }

 private:
  const ObituarySource source_;
};

}  // namespace

std::unique_ptr<MetricCollector> MakeObituaryCollector(ObituarySource source) {
  return std::make_unique<ObituaryCollector>(std::move(source));
}

}  // namespace heapledger::collector
