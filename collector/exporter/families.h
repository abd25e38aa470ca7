// SPDX-License-Identifier: Apache-2.0
// How a metric collector puts a family together.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "prometheus/client_metric.h"
#include "prometheus/metric_family.h"

namespace heapledger::collector {

using MetricLabels = std::vector<prometheus::ClientMetric::Label>;

class Family {
 public:
  static Family Gauge(std::string_view name, std::string_view help) {
    return Family(name, help, prometheus::MetricType::Gauge);
  }
  // `name` must end in _total.
  static Family Counter(std::string_view name, std::string_view help) {
    return Family(name, help, prometheus::MetricType::Counter);
  }

  static Family Histogram(std::string_view name, std::string_view help) {
    return Family(name, help, prometheus::MetricType::Histogram);
  }

  void Add(MetricLabels labels, double value) {
    prometheus::ClientMetric& metric = family_.metric.emplace_back();
    metric.label = std::move(labels);
    if (family_.type == prometheus::MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
  }
  // See text_format.h on numbers above 2^53.
  void Add(MetricLabels labels, std::uint64_t value) {
    Add(std::move(labels), static_cast<double>(value));
  }

  // Of a histogram: (bound, values up to it), both growing; all of them are
  // `count`.
  void AddHistogram(
      MetricLabels labels,
      const std::vector<std::pair<double, std::uint64_t>>& buckets,
      std::uint64_t count, double sum) {
    prometheus::ClientMetric& metric = family_.metric.emplace_back();
    metric.label = std::move(labels);
    metric.histogram.sample_count = count;
    metric.histogram.sample_sum = sum;
    for (const auto& [bound, values] : buckets) {
      prometheus::ClientMetric::Bucket bucket;
      bucket.upper_bound = bound;
      bucket.cumulative_count = values;
      metric.histogram.bucket.push_back(bucket);
    }
  }

  prometheus::MetricFamily Take() && { return std::move(family_); }

 private:
  Family(std::string_view name, std::string_view help,
         prometheus::MetricType type) {
    family_.name = name;
    family_.help = help;
    family_.type = type;
  }

  prometheus::MetricFamily family_;
};

// `labels` and one more.
[[nodiscard]] inline MetricLabels With(MetricLabels labels,
                                       std::string_view name,
                                       std::string_view value) {
  labels.push_back({std::string(name), std::string(value)});
  return labels;
}

// The families of `parts`, in their order.
template <typename... Parts>
[[nodiscard]] std::vector<prometheus::MetricFamily> TakeFamilies(
    Parts&&... parts) {
  std::vector<prometheus::MetricFamily> families;
  families.reserve(sizeof...(parts));
  (families.push_back(std::forward<Parts>(parts).Take()), ...);
  return families;
}

}  // namespace heapledger::collector
