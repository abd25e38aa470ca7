// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/text_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "collector/exporter/label_text.h"

namespace heapledger::collector {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Label = ClientMetric::Label;

// Whole doubles below this fit an unsigned 64-bit number.
constexpr double kTwoTo64 = 18446744073709551616.0;
// What is gathered before it goes to the sink.
constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::string_view kTotal = "_total";

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool IsLabelName(std::string_view name) {
  return !name.empty() && IsNameStart(name.front()) &&
         std::ranges::all_of(name, [](char c) {
           return IsNameStart(c) || (c >= '0' && c <= '9');
         });
}

bool IsMetricName(std::string_view name) {
  return !name.empty() && (IsNameStart(name.front()) || name.front() == ':') &&
         std::ranges::all_of(name, [](char c) {
           return IsNameStart(c) || c == ':' || (c >= '0' && c <= '9');
         });
}

std::string_view TypeWord(MetricType type, ExpositionFormat format) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Summary:
      return "summary";
    case MetricType::Histogram:
      return "histogram";
    default:
      return format == ExpositionFormat::kOpenMetrics ? "unknown" : "untyped";
  }
}

// The unit that a family's name ends in; empty if it is none of those we use.
std::string_view UnitOf(std::string_view family) {
  static constexpr std::array<std::string_view, 4> kUnits = {
      "bytes_per_second", "bytes", "seconds", "ratio"};
  for (const std::string_view unit : kUnits) {
    if (family.size() > unit.size() + 1 && family.ends_with(unit) &&
        family[family.size() - unit.size() - 1] == '_') {
      return unit;
    }
  }
  return {};
}

void AppendValue(double value, std::string* out) {
  if (std::isnan(value)) {
    out->append("NaN");
    return;
  }
  if (std::isinf(value)) {
    out->append(value < 0 ? "-Inf" : "+Inf");
    return;
  }
  char digits[64];
  char* begin = digits;
  const double magnitude = std::fabs(value);
  std::to_chars_result result{};
  if (magnitude < kTwoTo64 && magnitude == std::trunc(magnitude)) {
    if (value < 0) *begin++ = '-';
    result = std::to_chars(begin, std::end(digits),
                           static_cast<std::uint64_t>(magnitude));
  } else {
    result = std::to_chars(begin, std::end(digits), value);
  }
  out->append(digits, result.ptr);
}

}  // namespace

class TextWriter::Page {
 public:
  Page(ExpositionFormat format, BodySink* sink, TextReport* report)
      : open_(format == ExpositionFormat::kOpenMetrics),
        format_(format),
        sink_(sink),
        report_(report) {}

  void Write(std::span<const MetricFamily> families) {
    std::vector<std::vector<const MetricFamily*>> groups;
    absl::flat_hash_map<std::string, std::size_t> group_of;
    for (const MetricFamily& family : families) {
      if (family.metric.empty()) continue;
      const auto [place, is_new] = group_of.try_emplace(
          FamilyName(family.name, family.type), groups.size());
      if (is_new) groups.emplace_back();
      groups[place->second].push_back(&family);
    }
    for (const auto& group : groups) WriteGroup(group);
  }

  void Write(const MetricTable& table) {
    std::vector<bool> left_out(table.rows());
    seen_.clear();
    for (std::size_t row = 0; row < table.rows(); ++row) {
      left_out[row] = !IsNew(table.labels(row));
    }
    for (std::size_t i = 0; i < table.columns().size(); ++i) {
      WriteColumn(table, i, left_out);
    }
  }

  void Finish() {
    if (open_) text_.append("# EOF\n");
    Flush();
  }

 private:
  // OpenMetrics names a counter's family without the ending of its samples.
  std::string FamilyName(std::string_view name, MetricType type) const {
    if (open_ && type == MetricType::Counter && name.ends_with(kTotal)) {
      name.remove_suffix(kTotal.size());
    }
    return std::string(name);
  }

  void Flush() {
    sink_->Append(text_);
    text_.clear();
  }

  bool IsNew(std::string_view labels) {
    // Two of a page's label sets share a hash once in a billion pages: cheaper
    // than to keep all texts.
    return seen_.insert(absl::HashOf(labels)).second;
  }

  // Says no if the family has been written before.
  bool WriteHead(const std::string& family, std::string_view help,
                 MetricType type) {
    if (!written_.insert(family).second) return false;
    if (open_) WriteType(family, type);
    if (const std::string_view unit = UnitOf(family); open_ && !unit.empty()) {
      absl::StrAppend(&text_, "# UNIT ", family, " ", std::string(unit), "\n");
    }
    if (!help.empty()) {
      text_.append("# HELP ").append(family).push_back(' ');
      AppendEscaped(CleanText(help, std::numeric_limits<std::size_t>::max()),
                    open_ ? Quotes::kEscaped : Quotes::kPlain, &text_);
      text_.push_back('\n');
    }
    if (!open_) WriteType(family, type);
    return true;
  }

  void WriteType(std::string_view family, MetricType type) {
    text_.append("# TYPE ").append(family).push_back(' ');
    text_.append(TypeWord(type, format_)).push_back('\n');
  }

  void WriteColumn(const MetricTable& table, std::size_t column,
                   const std::vector<bool>& left_out) {
    const MetricTable::Column& head = table.columns()[column];
    const std::string family = FamilyName(head.name, head.type);
    bool begun = false;
    bool conflict = false;
    for (std::size_t row = 0; row < table.rows(); ++row) {
      const std::optional<double> value = table.value(row, column);
      if (!value) continue;
      if (!begun) conflict = !WriteHead(family, head.help, head.type);
      begun = true;
      if (conflict) {
        ++report_->type_conflicts;
        continue;
      }
      if (left_out[row]) {
        ++report_->duplicates;
        continue;
      }
      text_.append(head.name).append("{");
      text_.append(table.labels(row)).append("} ");
      AppendValue(*value, &text_);
      text_.push_back('\n');
      if (text_.size() >= kPieceBytes) Flush();
    }
  }

  // `parts` are the families of one name.
  void WriteGroup(std::span<const MetricFamily* const> parts) {
    const MetricFamily& first = *parts.front();
    const std::string name = FamilyName(first.name, first.type);
    if (!IsMetricName(name)) {
      for (const MetricFamily* part : parts) {
        report_->invalid_names += part->metric.size();
      }
      return;
    }
    const bool known = !WriteHead(name, first.help, first.type);
    seen_.clear();
    for (const MetricFamily* part : parts) {
      if (known || part->type != first.type) {
        report_->type_conflicts += part->metric.size();
        continue;
      }
      for (const ClientMetric& metric : part->metric) {
        WriteMetric(name, first.type, metric);
        if (text_.size() >= kPieceBytes) Flush();
      }
    }
  }

  void WriteMetric(const std::string& name, MetricType type,
                   const ClientMetric& metric) {
    if (!std::ranges::all_of(metric.label, [](const Label& label) {
          return IsLabelName(label.name);
        })) {
      ++report_->invalid_names;
      return;
    }
    labels_.clear();
    AppendLabels(metric.label, &labels_);
    if (!IsNew(SeriesKey(metric.label))) {
      ++report_->duplicates;
      return;
    }
    switch (type) {
      case MetricType::Counter:
        return Line(name, open_ ? kTotal : "", {}, metric.counter.value,
                    metric);
      case MetricType::Gauge:
        return Line(name, "", {}, metric.gauge.value, metric);
      case MetricType::Summary:
        return WriteSummary(name, metric);
      case MetricType::Histogram:
        return WriteHistogram(name, metric);
      default:
        return Line(name, "", {}, metric.untyped.value, metric);
    }
  }

  // The labels in the order of their names, whatever order they came in.
  std::string SeriesKey(std::span<const Label> labels) const {
    if (std::is_sorted(labels.begin(), labels.end())) return labels_;
    std::vector<Label> sorted(labels.begin(), labels.end());
    std::sort(sorted.begin(), sorted.end());
    std::string key;
    AppendLabels(sorted, &key);
    return key;
  }

  // A number in a label: OpenMetrics wants it to look like a float.
  std::string Bound(std::string_view label, double value) const {
    std::string number = FormatValue(value);
    if (open_ && number.find_first_not_of("-0123456789") == std::string::npos) {
      number += ".0";
    }
    return absl::StrCat(std::string(label), "=\"", number, "\"");
  }

  void WriteSummary(const std::string& name, const ClientMetric& metric) {
    const ClientMetric::Summary& summary = metric.summary;
    Line(name, "_count", {}, summary.sample_count, metric);
    Line(name, "_sum", {}, summary.sample_sum, metric);
    for (const ClientMetric::Quantile& quantile : summary.quantile) {
      Line(name, "", Bound("quantile", quantile.quantile), quantile.value,
           metric);
    }
  }

  void WriteHistogram(const std::string& name, const ClientMetric& metric) {
    const ClientMetric::Histogram& histogram = metric.histogram;
    Line(name, "_count", {}, histogram.sample_count, metric);
    Line(name, "_sum", {}, histogram.sample_sum, metric);
    double last = -std::numeric_limits<double>::infinity();
    for (const ClientMetric::Bucket& bucket : histogram.bucket) {
      Line(name, "_bucket", Bound("le", bucket.upper_bound),
           bucket.cumulative_count, metric);
      last = bucket.upper_bound;
    }
    if (last != std::numeric_limits<double>::infinity()) {
      Line(name, "_bucket", "le=\"+Inf\"", histogram.sample_count, metric);
    }
  }

  template <typename Value>
  void Line(std::string_view name, std::string_view suffix,
            const std::string& extra_label, Value value,
            const ClientMetric& metric) {
    text_.append(name).append(suffix);
    if (!labels_.empty() || !extra_label.empty()) {
      text_.append("{").append(labels_);
      if (!labels_.empty() && !extra_label.empty()) text_.push_back(',');
      text_.append(extra_label).append("}");
    }
    text_.push_back(' ');
    if constexpr (std::is_integral_v<Value>) {
      absl::StrAppend(&text_, value);
    } else {
      AppendValue(value, &text_);
    }
    if (metric.timestamp_ms != 0) WriteTimestamp(metric.timestamp_ms);
    text_.push_back('\n');
  }

  void WriteTimestamp(std::int64_t milliseconds) {
    text_.push_back(' ');
    if (open_) {
      AppendValue(static_cast<double>(milliseconds) / 1000, &text_);
    } else {
      absl::StrAppend(&text_, milliseconds);
    }
  }

  const bool open_;  // OpenMetrics
  const ExpositionFormat format_;
  BodySink* const sink_;
  TextReport* const report_;
  std::string text_;    // since the last piece
  std::string labels_;  // of the sample being written
  absl::flat_hash_set<std::size_t> seen_;
  absl::flat_hash_set<std::string> written_;
};

TextWriter::TextWriter(ExpositionFormat format, BodySink* sink,
                       TextReport* report)
    : page_(std::make_unique<Page>(format, sink, report)) {}
TextWriter::~TextWriter() = default;

void TextWriter::Write(std::span<const MetricFamily> families) {
  page_->Write(families);
}
void TextWriter::Write(const MetricTable& table) { page_->Write(table); }
void TextWriter::Finish() { page_->Finish(); }

std::string FormatText(std::span<const MetricFamily> families,
                       TextReport* report, ExpositionFormat format) {
  StringSink sink;
  TextWriter writer(format, &sink, report);
  writer.Write(families);
  writer.Finish();
  return sink.Take();
}

std::string FormatValue(double value) {
  std::string text;
  AppendValue(value, &text);
  return text;
}

}  // namespace heapledger::collector
