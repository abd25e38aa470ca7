// SPDX-License-Identifier: Apache-2.0
// heapledger_heap_leak_score and its like: whether a process grows as a whole.
// heapledger_leak_*: what wants somebody's attention, that is suspects that are
// new or a third party's; those known and suppressed are on /api/v1/leaks.
#pragma once

#include <cstddef>
#include <memory>

#include "collector/exporter/dropped_series.h"
#include "collector/exporter/host_source.h"
#include "collector/exporter/metric_collector.h"
#include "collector/leaks/host_leaks.h"

namespace heapledger::collector {

// Of each process the `max_suspects` fastest get series of their own. The
// pointers must outlive the collector.
[[nodiscard]] std::unique_ptr<MetricCollector> MakeLeakCollector(
    const HostSource* source, const HostLeaks* leaks, std::size_t max_suspects,
    DroppedSeries* dropped);

// The text of /api/v1/leaks: {"processes": [LeaksJson, …]}. `names` must be of
// any thread.
[[nodiscard]] std::string RenderLeaks(const ShownHost& host,
                                      const HostLeakView& leaks,
                                      FrameNames& names);

}  // namespace heapledger::collector
