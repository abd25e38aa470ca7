// SPDX-License-Identifier: Apache-2.0
// Whether a short series rises, told without assumptions on its noise.
#pragma once

#include <cstddef>
#include <span>

namespace heapledger::collector {

// Mann-Kendall's test: each pair of values votes for up or down. The result is
// in standard deviations above no trend, ties corrected for; 0 for fewer than 3
// values and for a series that never changes. 3.1 is a chance of one in a
// thousand.
[[nodiscard]] double MannKendallScore(std::span<const double> values);

// How many of the values lie above the one before.
[[nodiscard]] std::size_t Rises(std::span<const double> values);

}  // namespace heapledger::collector
