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

#include "collector/exporter/dropped_series.h"
#include "collector/exporter/metric_collector.h"

namespace heapledger::collector {

class MetricRegistry {
 public:
  // `dropped` must outlive this object.
  explicit MetricRegistry(DroppedSeries* dropped) : dropped_(dropped) {}

  // `page` is a word such as "memory"; the union of all pages has everything.
  void Add(std::string_view page, std::unique_ptr<MetricCollector> collector);

  // The text of one page, or of all for an empty word.
  [[nodiscard]] std::string Render(std::string_view page = {}) const;

 private:
  struct Entry {
    std::string page;
    std::unique_ptr<MetricCollector> collector;
  };

  DroppedSeries* dropped_;
  std::vector<Entry> entries_;
};

}  // namespace heapledger::collector
