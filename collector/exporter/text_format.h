// SPDX-License-Identifier: Apache-2.0
// Prometheus' text format 0.0.4 and OpenMetrics text 1.0.0 out of
// prometheus-cpp's data model.
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
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "collector/exporter/body_sink.h"
#include "collector/exporter/clean_text.h"
#include "collector/exporter/exposition_format.h"
#include "collector/exporter/metric_table.h"
#include "prometheus/metric_family.h"

namespace heapledger::collector {

// Longest label value, in bytes; a longer one ends in an ellipsis.
inline constexpr std::size_t kMaxLabelBytes = 256;

// What was left out of a text, in series.
struct TextReport {
  std::uint64_t duplicates = 0;      // same name and labels as an earlier one
  std::uint64_t invalid_names = 0;   // of the metric or of a label
  std::uint64_t type_conflicts = 0;  // family known with another type
};

// Writes one page. Families of one name within one call are put together; the
// first one's HELP and TYPE hold. One that comes again in a later call is left
// out as a type conflict, since its lines would stand apart. Families without a
// sample are left out.
class TextWriter {
 public:
  // Both must outlive this object.
  TextWriter(ExpositionFormat format, BodySink* sink, TextReport* report);
  ~TextWriter();

  TextWriter(const TextWriter&) = delete;
  TextWriter& operator=(const TextWriter&) = delete;

  void Write(std::span<const prometheus::MetricFamily> families);
  void Write(const MetricTable& table);
  // Ends the page. Nothing else after it.
  void Finish();

 private:
  class Page;
  std::unique_ptr<Page> page_;
};

// A whole page as one text.
[[nodiscard]] std::string FormatText(
    std::span<const prometheus::MetricFamily> families, TextReport* report,
    ExpositionFormat format = ExpositionFormat::kText);

[[nodiscard]] std::string FormatValue(double value);

}  // namespace heapledger::collector
