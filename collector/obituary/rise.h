// SPDX-License-Identifier: Apache-2.0
// How a figure of the history grew up to the end: since when, and how fast. It
// says what happened, not whether it was a leak; for that see the suspects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "collector/obituary/series.h"

namespace heapledger::collector::obituary {

struct Rise {
  std::uint64_t bytes = 0;
  double seconds = 0;

  [[nodiscard]] double bytes_per_second() const {
    return static_cast<double>(bytes) / seconds;
  }
};

// The longest stretch up to the last row in which `column` never fell back by
// more than a tenth of what it had gained. None where it rose by less than a
// twentieth of its last value, or where there are fewer than four rows.
[[nodiscard]] std::optional<Rise> RiseToTheEnd(std::span<const SeriesRow> rows,
                                               std::size_t column);

}  // namespace heapledger::collector::obituary
