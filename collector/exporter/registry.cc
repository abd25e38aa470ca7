// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/registry.h"

#include <chrono>
#include <exception>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "collector/exporter/families.h"
#include "collector/exporter/text_format.h"

namespace heapledger::collector {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Our collectors do not throw, prometheus-cpp and the standard library may.
absl::StatusOr<MetricFamilies> CollectFrom(MetricCollector& collector) {
  try {
    return collector.Collect();
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace

void MetricRegistry::Add(std::string_view page,
                         std::unique_ptr<MetricCollector> collector) {
  entries_.push_back({std::string(page), std::move(collector)});
}

std::string MetricRegistry::Render(std::string_view page) const {
  const Clock::time_point begin = Clock::now();
  Family success = Family::Gauge(
      "heapledger_collector_success",
      "Whether this source of metrics could be read for this scrape.");
  Family duration =
      Family::Gauge("heapledger_collector_duration_seconds",
                    "Time this source of metrics took for this scrape.");
  MetricFamilies families;
  for (const Entry& entry : entries_) {
    if (!page.empty() && entry.page != page) continue;
    const Clock::time_point start = Clock::now();
    absl::StatusOr<MetricFamilies> collected = CollectFrom(*entry.collector);
    const MetricLabels label = With({}, "collector", entry.collector->name());
    success.Add(label, collected.ok() ? 1.0 : 0.0);
    duration.Add(label, SecondsSince(start));
    if (!collected.ok()) continue;
    families.insert(families.end(), std::make_move_iterator(collected->begin()),
                    std::make_move_iterator(collected->end()));
  }
  TextReport report;
  std::string text = FormatText(families, &report);
  dropped_->Add(SeriesDrop::kDuplicate, report.duplicates);
  dropped_->Add(SeriesDrop::kInvalidName, report.invalid_names);
  dropped_->Add(SeriesDrop::kTypeConflict, report.type_conflicts);

  Family dropped = Family::Counter(
      "heapledger_series_dropped_total",
      "Series left out of scrapes; processes for target_cap, and for "
      "callsite_cap callsites that were added to callsite=\"_other\".");
  for (std::size_t i = 0; i < DroppedSeries::kWords.size(); ++i) {
    dropped.Add(With({}, "reason", DroppedSeries::kWords[i]),
                dropped_->count(i));
  }
  Family scrape = Family::Gauge("heapledger_scrape_duration_seconds",
                                "Time to make the text of this scrape, without "
                                "compression and transfer.");
  scrape.Add({}, SecondsSince(begin));
  const MetricFamilies own =
      TakeFamilies(std::move(success), std::move(duration), std::move(dropped),
                   std::move(scrape));
  text += FormatText(own, &report);
  return text;
}

}  // namespace heapledger::collector
