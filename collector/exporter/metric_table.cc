// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/metric_table.h"

#include "collector/exporter/label_text.h"

namespace heapledger::collector {

void MetricTable::AddRow(
    std::span<const prometheus::ClientMetric::Label> labels,
    std::span<const std::optional<double>> values) {
  AppendLabels(labels, &text_);
  ends_.push_back(text_.size());
  values_.insert(values_.end(), values.begin(), values.end());
}

}  // namespace heapledger::collector
