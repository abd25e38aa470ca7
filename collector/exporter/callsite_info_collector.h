// SPDX-License-Identifier: Apache-2.0
// heapledger_callsite_info: where a callsite stands in the source, for the
// callsites that have series: the top ones and suspects. File and line stand
// here alone, so that a new line number does not end the series of figures.
#pragma once

#include <cstddef>
#include <memory>

#include "collector/exporter/host_source.h"
#include "collector/exporter/metric_collector.h"
#include "collector/leaks/host_leaks.h"

namespace heapledger::collector {

// Per process one series for each of at most `max_callsites` top callsites and
// as many suspects; never two for one callsite. What the arguments point to
// must outlive the collector.
[[nodiscard]] std::unique_ptr<MetricCollector> MakeCallsiteInfoCollector(
    const HostSource* source, const HostLeaks* leaks,
    std::size_t max_callsites);

}  // namespace heapledger::collector
