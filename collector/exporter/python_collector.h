// SPDX-License-Identifier: Apache-2.0
// CPython interpreters: memory and objects on one page, the garbage collector
// on another.
#pragma once

#include <memory>

#include "collector/exporter/host_source.h"
#include "collector/exporter/metric_collector.h"
#include "collector/exporter/metric_names.h"
#include "collector/exporter/python_source.h"

namespace heapledger::collector {

// Whether python_memory_objects has its former name,
// python_memory_objects_total, as well: a gauge, which by that name it should
// not be.
enum class ObjectsAlias { kNo, kYes };

// The sources must outlive the collectors.
std::unique_ptr<MetricCollector> MakePythonCollector(
    const HostSource* source, const PythonSource* outside, MetricNames names,
    ObjectsAlias alias);
std::unique_ptr<MetricCollector> MakePythonGcCollector(
    const HostSource* source, const PythonSource* outside, MetricNames names);

}  // namespace heapledger::collector
