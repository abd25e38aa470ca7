// SPDX-License-Identifier: Apache-2.0
// Prometheus' text format 0.0.4 out of prometheus-cpp's data model.
//
// The library's own TextSerializer is the reference for ordinary data (a test
// compares the two) and is not used, because it does not escape HELP, prints
// NaN as "Nan", keeps 16 digits of a number, repeats a series that it was given
// twice and passes on bytes that are not UTF-8. Names of functions and files
// are chosen by whoever wrote the program: nothing in them can leave its label.
//
// Numbers: the data model holds doubles, as Prometheus itself does. Whole ones
// are printed with all their digits, so a count is exact up to 2^53 and beyond
// that the nearest double, which is what a scraper would make of it anyway.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "prometheus/metric_family.h"

namespace heapledger::collector {

inline constexpr std::string_view kMetricsContentType =
    "text/plain; version=0.0.4; charset=utf-8";

// Longest label value, in bytes; a longer one ends in an ellipsis.
inline constexpr std::size_t kMaxLabelBytes = 256;

// What was left out of a text, in series.
struct TextReport {
  std::uint64_t duplicates = 0;      // same name and labels as an earlier one
  std::uint64_t invalid_names = 0;   // of the metric or of a label
  std::uint64_t type_conflicts = 0;  // family known with another type
};

// Families of one name are put together; the first one's HELP and TYPE hold.
// Families without a sample are left out.
[[nodiscard]] std::string FormatText(
    std::span<const prometheus::MetricFamily> families, TextReport* report);

// Valid UTF-8 without control characters, at most `limit` bytes: what is
// neither becomes U+FFFD. Line feeds stay.
[[nodiscard]] std::string CleanText(std::string_view text, std::size_t limit);

[[nodiscard]] std::string FormatValue(double value);

}  // namespace heapledger::collector
