// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/rise.h"

#include <algorithm>

namespace heapledger::collector::obituary {
namespace {

constexpr std::size_t kLeastRows = 4;

}  // namespace

std::optional<Rise> RiseToTheEnd(std::span<const SeriesRow> rows,
                                 std::size_t column) {
  if (rows.size() < kLeastRows) return std::nullopt;
  const auto at = [&](std::size_t row) { return rows[row].values[column]; };
  const std::size_t last = rows.size() - 1;
  // From the end backwards: `lowest` is the least value from `begin` on, and
  // what came before may lie above it by a tenth of the rise.
  std::size_t begin = last;
  std::uint64_t lowest = at(last);
  std::uint64_t highest = at(last);
  for (std::size_t row = last; row-- > 0;) {
    highest = std::max(highest, at(row));
    const std::uint64_t slack = (highest - lowest) / 10;
    if (at(row) > lowest + slack) break;
    if (at(row) < lowest) {
      lowest = at(row);
      begin = row;
    }
  }
  const std::uint64_t end = at(last);
  if (end <= lowest || last - begin + 1 < kLeastRows) return std::nullopt;
  const Rise rise = {
      end - lowest,
      static_cast<double>(rows[last].time_ms - rows[begin].time_ms) / 1000};
  if (rise.bytes < end / 20 || rise.seconds <= 0) return std::nullopt;
  return rise;
}

}  // namespace heapledger::collector::obituary
