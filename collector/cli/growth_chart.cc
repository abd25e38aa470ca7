// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/growth_chart.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/cli/output.h"
#include "collector/ledger/utc_time.h"

namespace heapledger::collector::cli {
namespace {

constexpr std::array<std::string_view, 9> kEighths = {" ", "▁", "▂", "▃", "▄",
                                                      "▅", "▆", "▇", "█"};
constexpr std::uint64_t kFull = 8;
constexpr std::uint64_t kNsPerMs = 1'000'000;

// How many of `steps` steps `value` takes of `highest`; the least that is not 0
// takes one.
std::uint64_t Steps(std::uint64_t value, std::uint64_t highest,
                    std::uint64_t steps) {
  if (value == 0 || highest == 0) return 0;
  const double share =
      static_cast<double>(value) / static_cast<double>(highest);
  return std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(share * static_cast<double>(steps) + 0.5));
}

// "12:03:04" of "2023-11-14T12:03:04Z"
std::string ClockText(std::uint64_t time_ms) {
  return UtcTimeText(time_ms * kNsPerMs).substr(11, 8);
}

}  // namespace

std::vector<std::uint64_t> Resample(std::span<const obituary::SeriesRow> rows,
                                    std::size_t column, std::size_t width) {
  std::vector<std::uint64_t> values;
  if (rows.empty()) return values;
  const std::uint64_t begin = rows.front().time_ms;
  const double length = static_cast<double>(rows.back().time_ms - begin);
  std::size_t row = 0;
  for (std::size_t i = 0; i < width; ++i) {
    const double at =
        length * static_cast<double>(i + 1) / static_cast<double>(width);
    while (row + 1 < rows.size() &&
           static_cast<double>(rows[row + 1].time_ms - begin) <= at) {
      ++row;
    }
    values.push_back(rows[row].values[column]);
  }
  return values;
}

std::string SparkText(std::span<const std::uint64_t> values) {
  const std::uint64_t highest =
      values.empty() ? 0 : *std::ranges::max_element(values);
  std::string text;
  for (const std::uint64_t value : values) {
    text += kEighths[Steps(value, highest, kFull)];
  }
  return text;
}

std::string CurveText(const obituary::Obituary& obituary, std::size_t width,
                      std::size_t height) {
  if (obituary.history.size() < 2) return "";
  const std::vector<std::uint64_t> values =
      Resample(obituary.history,
               static_cast<std::size_t>(obituary::Column::kLive), width);
  const std::uint64_t highest = *std::ranges::max_element(values);
  constexpr int kScaleColumns = 10;
  std::string text;
  for (std::size_t line = height; line-- > 0;) {
    std::string curve;
    for (const std::uint64_t value : values) {
      const std::uint64_t steps = Steps(value, highest, height * kFull);
      const std::uint64_t below = line * kFull;
      curve += kEighths[steps <= below ? 0 : std::min(steps - below, kFull)];
    }
    const std::string scale = line + 1 == height ? HumanBytes(highest)
                              : line == 0        ? "0"
                                                 : "";
    absl::StrAppend(
        &text,
        absl::StrFormat("%*s %s ", kScaleColumns, scale,
                        line + 1 == height || line == 0 ? "┤" : "│"),
        curve, "\n");
  }
  const std::string first = ClockText(obituary.history.front().time_ms);
  const std::string last = ClockText(obituary.history.back().time_ms);
  const std::size_t gap = width > first.size() + last.size()
                              ? width - first.size() - last.size()
                              : 1;
  return absl::StrCat(text, std::string(kScaleColumns + 3, ' '), first,
                      std::string(gap, ' '), last, "\n");
}

}  // namespace heapledger::collector::cli
