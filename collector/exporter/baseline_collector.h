// SPDX-License-Identifier: Apache-2.0
// heapledger_baseline_*: what memory is normal for each program, over all hours
// (slot="all") and for the hour of the week that it is (slot="current"). All
// 168 hours would be 9000 series a program; `heapledger baseline show` has
// them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "collector/baseline/figures.h"
#include "collector/exporter/metric_collector.h"

namespace heapledger::collector {

// Of any thread; what is given is never null.
struct BaselineSource {
  std::function<std::shared_ptr<const std::vector<baseline::ProgramFigures>>()>
      figures;
  // As baseline_file.h writes it: the text of /api/v1/baseline.
  std::function<std::shared_ptr<const std::string>()> document;
};

[[nodiscard]] std::unique_ptr<MetricCollector> MakeBaselineCollector(
    BaselineSource source);

}  // namespace heapledger::collector
