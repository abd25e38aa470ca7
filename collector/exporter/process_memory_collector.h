// SPDX-License-Identifier: Apache-2.0
// process_memory_* and memory_usage_bytes of every target, under the shim or
// watched, and where the resident memory of those under the shim goes.
#pragma once

#include <memory>

#include "collector/exporter/metric_collector.h"
#include "collector/exporter/metric_names.h"
#include "collector/exporter/system_source.h"

namespace heapledger::collector {

// `source` must outlive the collector.
[[nodiscard]] std::unique_ptr<MetricCollector> MakeProcessMemoryCollector(
    const SystemSource* source, MetricNames names);

}  // namespace heapledger::collector
