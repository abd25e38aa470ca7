// SPDX-License-Identifier: Apache-2.0
// heapledger_callsite_*: the top callsites of every process, and the exact sum
// of all others as callsite="_other".
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "collector/exporter/dropped_series.h"
#include "collector/exporter/families.h"
#include "collector/exporter/host_source.h"
#include "collector/exporter/metric_collector.h"

namespace heapledger::collector {

inline constexpr std::size_t kDefaultMaxCallsites = 50;

// Per process at most `max_callsites` get series of their own. `source` and
// `dropped` must outlive the collector.
[[nodiscard]] std::unique_ptr<MetricCollector> MakeCallsiteCollector(
    const HostSource* source, std::size_t max_callsites,
    DroppedSeries* dropped);

// The labels of a callsite's series: those of its process and its own.
[[nodiscard]] MetricLabels CallsiteLabels(const MetricLabels& process,
                                          std::string_view callsite,
                                          std::string_view function,
                                          std::string_view module);

}  // namespace heapledger::collector
