// SPDX-License-Identifier: Apache-2.0
// The history of an obituary as lines of text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "collector/obituary/obituary.h"

namespace heapledger::collector::cli {

// Values of one column of the history at `width` moments that are evenly spaced
// over `rows`: at each the last that was known. Empty without rows.
[[nodiscard]] std::vector<std::uint64_t> Resample(
    std::span<const obituary::SeriesRow> rows, std::size_t column,
    std::size_t width);

// A curve of `height` lines from 0 to its highest value, with its scale on the
// left and the time below; lines with their ends. Empty where the history has
// fewer than two moments.
[[nodiscard]] std::string CurveText(const obituary::Obituary& obituary,
                                    std::size_t width, std::size_t height);

// One line of `width` eighths, scaled to the column's own highest value.
[[nodiscard]] std::string SparkText(std::span<const std::uint64_t> values);

}  // namespace heapledger::collector::cli
