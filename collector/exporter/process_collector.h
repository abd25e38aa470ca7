// SPDX-License-Identifier: Apache-2.0
// heapledger_process_info, heapledger_heap_* and heapledger_ledger_*: one set
// of series per process that runs.
#pragma once

#include <memory>

#include "collector/exporter/families.h"
#include "collector/exporter/host_source.h"
#include "collector/exporter/metric_collector.h"

namespace heapledger::collector {

// `source` must outlive the collector.
[[nodiscard]] std::unique_ptr<MetricCollector> MakeProcessCollector(
    const HostSource* source);

// The labels that every series of a process has: process, pid.
[[nodiscard]] MetricLabels ProcessLabels(const ProcessView& process);

}  // namespace heapledger::collector
