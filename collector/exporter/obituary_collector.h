// SPDX-License-Identifier: Apache-2.0
// How many deaths were sealed, by how they came about.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "collector/exporter/metric_collector.h"

namespace heapledger::collector {

struct ObituaryFigures {
  std::map<std::string, std::uint64_t> sealed;  // by reason; of all reasons
  std::uint64_t failed = 0;         // tries that did not get a file written
  std::uint64_t last_death_ns = 0;  // Unix time; 0: none yet
};

// Of any thread.
using ObituarySource = std::function<ObituaryFigures()>;

[[nodiscard]] std::unique_ptr<MetricCollector> MakeObituaryCollector(
    ObituarySource source);

}  // namespace heapledger::collector
