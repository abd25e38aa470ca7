// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/registry.h"

#include <chrono>
#include <exception>
#include <iterator>
#include <utility>

#include "absl/status/statusor.h"
#include "collector/exporter/families.h"
#include "collector/exporter/text_format.h"

namespace heapledger::collector {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

void MetricRegistry::Add(std::string_view page,
                         std::unique_ptr<MetricCollector> collector) {
  entries_.push_back({std::string(page), std::move(collector)});
}

// Our collectors do not throw, prometheus-cpp and the standard library may.
bool MetricRegistry::CollectFrom(const Entry& entry, MetricFamilies* families,
                                 std::vector<MetricTable>* tables) {
  try {
    absl::StatusOr<MetricFamilies> few = entry.collector->Collect();
    if (!few.ok()) return false;
    absl::StatusOr<std::vector<MetricTable>> many =
        entry.collector->CollectTables();
    if (!many.ok()) return false;
    families->insert(families->end(), std::make_move_iterator(few->begin()),
                     std::make_move_iterator(few->end()));
    tables->insert(tables->end(), std::make_move_iterator(many->begin()),
                   std::make_move_iterator(many->end()));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

void MetricRegistry::Write(std::string_view page, ExpositionFormat format,
                           BodySink* sink) const {
  const Clock::time_point begin = Clock::now();
  Family success = Family::Gauge(
      "heapledger_collector_success",
      "Whether this source of metrics could be read for this scrape.");
  Family duration =
      Family::Gauge("heapledger_collector_duration_seconds",
                    "Time this source of metrics took for this scrape.");
  MetricFamilies families;
  std::vector<MetricTable> tables;
  for (const Entry& entry : entries_) {
    if (!page.empty() && entry.page != page) continue;
    const Clock::time_point start = Clock::now();
    const bool collected = CollectFrom(entry, &families, &tables);
    const MetricLabels label = With({}, "collector", entry.collector->name());
    success.Add(label, collected ? 1.0 : 0.0);
    duration.Add(label, SecondsSince(start));
  }
  TextReport report;
  TextWriter writer(format, sink, &report);
  writer.Write(families);
  for (const MetricTable& table : tables) writer.Write(table);
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
                                "Time to make the text of this scrape, with "
                                "compression and without transfer.");
  scrape.Add({}, SecondsSince(begin));
  writer.Write(TakeFamilies(std::move(success), std::move(duration),
                            std::move(dropped), std::move(scrape)));
  writer.Finish();
}

std::string MetricRegistry::Render(std::string_view page,
                                   ExpositionFormat format) const {
  StringSink sink;
  Write(page, format, &sink);
  return sink.Take();
}

}  // namespace heapledger::collector
