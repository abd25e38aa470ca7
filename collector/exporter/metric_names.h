// SPDX-License-Identifier: Apache-2.0
// Metrics that have names from before heapledger are served under these, or
// under them with our prefix where they would collide with another exporter's.
#pragma once

#include <string>
#include <string_view>

namespace heapledger::collector {

enum class MetricNames {
  kSeed,      // process_memory_rss_bytes
  kPrefixed,  // heapledger_process_memory_rss_bytes
};

[[nodiscard]] inline std::string SeedName(MetricNames names,
                                          std::string_view name) {
  std::string full(names == MetricNames::kPrefixed ? "heapledger_" : "");
  full += name;
  return full;
}

}  // namespace heapledger::collector
