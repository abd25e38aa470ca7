// SPDX-License-Identifier: Apache-2.0
// Metrics with names of the application's own, made from tags: a metric is the
// sum of a value over all tags of one name, split by some of their labels.
#pragma once

#include <string>
#include <vector>

namespace heapledger::collector {

enum class TagValue { kLiveBytes, kLiveObjects, kAllocatedBytes, kOpenScopes };

struct ApplicationMetric {
  std::string name;
  std::string help;
  std::string tag;  // its name
  // Labels of the tag that are labels of the metric, under the same names.
  std::vector<std::string> labels;
  TagValue value = TagValue::kLiveBytes;
};

// What is there without configuration: memory of experts, servers, pools,
// caches, requests and connections, wherever a program has tags of these names.
[[nodiscard]] std::vector<ApplicationMetric> DefaultApplicationMetrics();

}  // namespace heapledger::collector
