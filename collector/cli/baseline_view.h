// SPDX-License-Identifier: Apache-2.0
// A baseline as a table and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "collector/baseline/baseline.h"

namespace heapledger::collector::cli {

struct BaselineViewOptions {
  std::string program;    // empty: all
  bool previous = false;  // the period before, alone
  bool slots = false;     // every hour of the week as well
};

[[nodiscard]] std::string BaselineTable(const baseline::Baseline& baseline,
                                        const BaselineViewOptions& options);

// {"programs": [{"program", "begin", "end", "samples",
//   "metrics": {"rss_bytes": {"samples", "mean", …}, …},
//   "slots": {"0": {"rss_bytes": …}}}]}; statistics in their own units.
[[nodiscard]] nlohmann::ordered_json BaselineJson(
    const baseline::Baseline& baseline, const BaselineViewOptions& options);

}  // namespace heapledger::collector::cli
