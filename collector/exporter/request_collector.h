// SPDX-License-Identifier: Apache-2.0
// heapledger_trim* and heapledger_pressure_*: what processes did when they were
// asked to hold less memory.
#pragma once

#include <memory>

#include "collector/exporter/host_source.h"
#include "collector/exporter/metric_collector.h"

namespace heapledger::collector {

// `source` must outlive the collector.
[[nodiscard]] std::unique_ptr<MetricCollector> MakeRequestCollector(
    const HostSource* source);

}  // namespace heapledger::collector
