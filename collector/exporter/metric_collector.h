// SPDX-License-Identifier: Apache-2.0
// One source of metric families, named as in
// heapledger_collector_success{collector="…"}.
//
// Thread safety: Collect() is called from any thread, several at once.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/exporter/metric_table.h"
#include "prometheus/metric_family.h"

namespace heapledger::collector {

using MetricFamilies = std::vector<prometheus::MetricFamily>;

class MetricCollector {
 public:
  virtual ~MetricCollector() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;
  // An error costs the families of this collector and nothing else.
  [[nodiscard]] virtual absl::StatusOr<MetricFamilies> Collect() = 0;
  // Families with many samples, which come after those of all collectors and
  // belong to this one alone. Called after Collect().
  [[nodiscard]] virtual absl::StatusOr<std::vector<MetricTable>>
  CollectTables() {
    return std::vector<MetricTable>();
  }
};

}  // namespace heapledger::collector
