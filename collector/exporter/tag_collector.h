// SPDX-License-Identifier: Apache-2.0
// heapledger_tag_*: the tags of every process, with the exact sums of all
// others as tag="_other" and of what has none as tag="_untagged"; and the
// application's own metrics that are made of tags.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "collector/exporter/host_source.h"
#include "collector/exporter/metric_collector.h"
#include "collector/tags/application_metrics.h"

namespace heapledger::collector {

// Series of one application metric and process; further ones are one without
// labels of the application's.
inline constexpr std::size_t kMaxApplicationSeries = 100;

// `source` must outlive the collector.
[[nodiscard]] std::unique_ptr<MetricCollector> MakeTagCollector(
    const HostSource* source, std::vector<ApplicationMetric> metrics);

// The name of the label that a label of a tag becomes: tag_ in front, and _ for
// what cannot stand in one.
[[nodiscard]] std::string TagLabelName(std::string_view key);

}  // namespace heapledger::collector
