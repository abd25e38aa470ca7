// SPDX-License-Identifier: Apache-2.0
// Families that share their label sets, as those of callsites do: the labels
// are written once and each sample is one number, where the data model of
// prometheus-cpp takes some 700 bytes. A page of 100,000 series is made of it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "prometheus/client_metric.h"
#include "prometheus/metric_type.h"

namespace heapledger::collector {

class MetricTable {
 public:
  // A family; name and help are literals. A counter's name ends in _total.
  struct Column {
    std::string_view name;
    std::string_view help;
    prometheus::MetricType type = prometheus::MetricType::Gauge;
  };

  explicit MetricTable(std::vector<Column> columns)
      : columns_(std::move(columns)) {}

  // `labels` have names that are fit for the format. As many values as there
  // are columns; nullopt where the family has no such sample.
  void AddRow(std::span<const prometheus::ClientMetric::Label> labels,
              std::span<const std::optional<double>> values);

  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }
  [[nodiscard]] std::size_t rows() const { return ends_.size(); }
  // `name="value"` pairs with commas between, escaped.
  [[nodiscard]] std::string_view labels(std::size_t row) const {
    const std::size_t begin = row == 0 ? 0 : ends_[row - 1];
    return std::string_view(text_).substr(begin, ends_[row] - begin);
  }
  [[nodiscard]] std::optional<double> value(std::size_t row,
                                            std::size_t column) const {
    return values_[row * columns_.size() + column];
  }

 private:
  std::vector<Column> columns_;
  std::string text_;  // of all rows' labels
  std::vector<std::size_t> ends_;
  std::vector<std::optional<double>> values_;
};

}  // namespace heapledger::collector
