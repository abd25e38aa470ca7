// SPDX-License-Identifier: Apache-2.0
// memory_*_bytes, paging and pressure of the host, and what the cgroups of the
// targets count.
#pragma once

#include <memory>

#include "collector/exporter/metric_collector.h"
#include "collector/exporter/metric_names.h"
#include "collector/exporter/system_source.h"

namespace heapledger::collector {

// `source` must outlive the collector, which fails where the host's memory
// could not be read.
[[nodiscard]] std::unique_ptr<MetricCollector> MakeHostMemoryCollector(
    const SystemSource* source, MetricNames names);

}  // namespace heapledger::collector
