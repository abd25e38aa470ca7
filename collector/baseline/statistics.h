// SPDX-License-Identifier: Apache-2.0
// The figures by which a baseline is shown, exported and made into rules.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "collector/baseline/quantile_sketch.h"

namespace heapledger::collector::baseline {

struct Statistic {
  std::string_view word;
  // None for fewer values than the statistic needs: one, of std_dev two.
  std::optional<double> value;
};

inline constexpr std::size_t kStatistics = 8;

// mean, median, std_dev, min, max, p95, p99 and mad, in this order.
[[nodiscard]] std::array<Statistic, kStatistics> Describe(
    const QuantileSketch& sketch);

}  // namespace heapledger::collector::baseline
