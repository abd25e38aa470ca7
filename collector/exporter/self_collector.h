// SPDX-License-Identifier: Apache-2.0
// What the collector says of itself: its build, what it found on the host, and
// its HTTP front end.
#pragma once

#include <functional>
#include <memory>

#include "collector/exporter/dropped_series.h"
#include "collector/exporter/host_source.h"
#include "collector/exporter/http_server.h"
#include "collector/exporter/metric_collector.h"
#include "collector/exporter/system_source.h"

namespace heapledger::collector {

// Arguments must outlive the collector.
[[nodiscard]] std::unique_ptr<MetricCollector> MakeSelfCollector(
    const HostSource* source, const SystemSource* system,
    std::function<HttpServerStats()> http, DroppedSeries* dropped);

}  // namespace heapledger::collector
