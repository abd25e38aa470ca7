// SPDX-License-Identifier: Apache-2.0
// The metric collectors and the pages that they appear on. Every page ends in
// figures about itself: how long it took, which collectors failed, what was
// left out.
//
// Thread safety: Add() before the first Render(); Render() from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "collector/exporter/body_sink.h"
#include "collector/exporter/dropped_series.h"
#include "collector/exporter/exposition_format.h"
#include "collector/exporter/metric_collector.h"

namespace heapledger::collector {

class MetricRegistry {
 public:
  // `dropped` must outlive this object.
  explicit MetricRegistry(DroppedSeries* dropped) : dropped_(dropped) {}

  // `page` is a word such as "memory"; the union of all pages has everything.
  void Add(std::string_view page, std::unique_ptr<MetricCollector> collector);

  // Writes one page, or all for an empty word, piece by piece.
  void Write(std::string_view page, ExpositionFormat format,
             BodySink* sink) const;

  // The same as one text.
  [[nodiscard]] std::string Render(
      std::string_view page = {},
      ExpositionFormat format = ExpositionFormat::kText) const;

 private:
  struct Entry {
    std::string page;
    std::unique_ptr<MetricCollector> collector;
  };

  // Adds what the entry has; says no if it could not be read.
  static bool CollectFrom(const Entry& entry,
                          std::vector<prometheus::MetricFamily>* families,
                          std::vector<MetricTable>* tables);

  DroppedSeries* dropped_;
  std::vector<Entry> entries_;
};

}  // namespace heapledger::collector
