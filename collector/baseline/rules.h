// SPDX-License-Identifier: Apache-2.0
// Alerting rules of Prometheus with thresholds from a baseline: a rule a
// program and quantity. The threshold lies a fifth beyond the 99th (of what is
// to stay, the 1st) percentile, and not within six deviations of the median, as
// told by the MAD, which a few outliers do not move.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "collector/baseline/baseline.h"

namespace heapledger::collector::baseline {

struct RuleOptions {
  // A quantity with fewer samples gets no rule.
  std::uint64_t minimum_samples = 30;
  double beyond = 1.2;
  double deviations = 6;
};

// What `quantity` should not rise above, or fall below where `Falls`; none for
// too few samples.
[[nodiscard]] std::optional<double> Threshold(const QuantileSketch& sketch,
                                              std::size_t quantity,
                                              const RuleOptions& options);
[[nodiscard]] bool Falls(std::size_t quantity);

// YAML for rule_files. `source` is the baseline's file, for the reader. None
// where no quantity has enough samples.
[[nodiscard]] std::optional<std::string> RulesText(const Baseline& baseline,
                                                   const std::string& source,
                                                   const RuleOptions& options);

}  // namespace heapledger::collector::baseline
