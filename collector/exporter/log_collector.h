// SPDX-License-Identifier: Apache-2.0
// heapledger_log_*: what the logs said, and whether they can be read. Every
// pattern has its series from the start: an increase from nothing to 1 is none.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "collector/exporter/host_source.h"
#include "collector/exporter/metric_collector.h"
#include "collector/logs/log_watch.h"

namespace heapledger::collector {

// The pointers must outlive the collector.
[[nodiscard]] std::unique_ptr<MetricCollector> MakeLogCollector(
    const HostSource* source, const logs::LogWatch* watch);

// The text of /api/v1/logs: {"patterns": […], "kills": […], "sources": […]},
// of patterns and kills those that came since (Unix time; 0: all).
[[nodiscard]] std::string RenderLogs(const logs::LogWatch& watch,
                                     std::uint64_t since_ns);

}  // namespace heapledger::collector
