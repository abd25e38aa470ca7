// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/text_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Label = ClientMetric::Label;

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::string_view kEllipsis = "\xe2\x80\xa6";     // U+2026
// Whole doubles below this fit an unsigned 64-bit number.
constexpr double kTwoTo64 = 18446744073709551616.0;

// Bytes of the UTF-8 sequence that `text` begins with; 0 if it is none
// (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t SequenceLength(std::string_view text) {
  const auto byte = [&text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto follows = [&byte](std::size_t i, unsigned low = 0x80,
                               unsigned high = 0xbf) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return follows(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const unsigned low = lead == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : 0xbf;
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const unsigned low = lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xf4 ? 0x8f : 0xbf;
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\n') || byte == 0x7f;
}

// Most names are plain: they need no copy beyond the one into the text.
bool IsPlain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return static_cast<unsigned char>(c) < 0x80 && !IsControl(c);
  });
}

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

std::string_view TypeWord(MetricType type) {
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
      return "untyped";
  }
}

void AppendEscaped(std::string_view text, bool quotes, std::string* out) {
  for (const char c : text) {
    switch (c) {
      case '\n':
        out->append("\\n");
        break;
      case '\\':
        out->append("\\\\");
        break;
      case '"':
        out->append(quotes ? "\\\"" : "\"");
        break;
      default:
        out->push_back(c);
    }
  }
}

// `name="value"` pairs with commas between, in the order given.
void AppendLabels(std::span<const Label> labels, std::string* out) {
  for (const Label& label : labels) {
    if (&label != labels.data()) out->push_back(',');
    out->append(label.name).append("=\"");
    if (label.value.size() <= kMaxLabelBytes && IsPlain(label.value)) {
      AppendEscaped(label.value, true, out);
    } else {
      AppendEscaped(CleanText(label.value, kMaxLabelBytes), true, out);
    }
    out->push_back('"');
  }
}

// Writes the lines of one family after another.
class TextWriter {
 public:
  explicit TextWriter(TextReport* report) : report_(report) {}

  // `parts` are the families of one name.
  void Write(std::span<const MetricFamily* const> parts) {
    const MetricFamily& first = *parts.front();
    if (!IsMetricName(first.name)) {
      for (const MetricFamily* part : parts) {
        report_->invalid_names += part->metric.size();
      }
      return;
    }
    if (!first.help.empty()) {
      text_.append("# HELP ").append(first.name).push_back(' ');
      AppendEscaped(
          CleanText(first.help, std::numeric_limits<std::size_t>::max()), false,
          &text_);
      text_.push_back('\n');
    }
    text_.append("# TYPE ").append(first.name).push_back(' ');
    text_.append(TypeWord(first.type)).push_back('\n');
    seen_.clear();
    for (const MetricFamily* part : parts) {
      if (part->type != first.type) {
        report_->type_conflicts += part->metric.size();
        continue;
      }
      for (const ClientMetric& metric : part->metric) {
        WriteMetric(first, metric);
      }
    }
  }

  std::string Take() { return std::move(text_); }

 private:
  void WriteMetric(const MetricFamily& family, const ClientMetric& metric) {
    if (!std::ranges::all_of(metric.label, [](const Label& label) {
          return IsLabelName(label.name);
        })) {
      ++report_->invalid_names;
      return;
    }
    labels_.clear();
    AppendLabels(metric.label, &labels_);
    if (!seen_.insert(SeriesKey(metric.label)).second) {
      ++report_->duplicates;
      return;
    }
    switch (family.type) {
      case MetricType::Counter:
        return Line(family.name, "", "", metric.counter.value, metric);
      case MetricType::Gauge:
        return Line(family.name, "", "", metric.gauge.value, metric);
      case MetricType::Summary:
        return WriteSummary(family.name, metric);
      case MetricType::Histogram:
        return WriteHistogram(family.name, metric);
      default:
        return Line(family.name, "", "", metric.untyped.value, metric);
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

  void WriteSummary(const std::string& name, const ClientMetric& metric) {
    const ClientMetric::Summary& summary = metric.summary;
    Line(name, "_count", "", summary.sample_count, metric);
    Line(name, "_sum", "", summary.sample_sum, metric);
    for (const ClientMetric::Quantile& quantile : summary.quantile) {
      Line(name, "",
           absl::StrCat("quantile=\"", FormatValue(quantile.quantile), "\""),
           quantile.value, metric);
    }
  }

  void WriteHistogram(const std::string& name, const ClientMetric& metric) {
    const ClientMetric::Histogram& histogram = metric.histogram;
    Line(name, "_count", "", histogram.sample_count, metric);
    Line(name, "_sum", "", histogram.sample_sum, metric);
    double last = -std::numeric_limits<double>::infinity();
    for (const ClientMetric::Bucket& bucket : histogram.bucket) {
      Line(name, "_bucket",
           absl::StrCat("le=\"", FormatValue(bucket.upper_bound), "\""),
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
      text_.append(FormatValue(value));
    }
    if (metric.timestamp_ms != 0) {
      absl::StrAppend(&text_, " ", metric.timestamp_ms);
    }
    text_.push_back('\n');
  }

  TextReport* report_;
  std::string text_;
  std::string labels_;  // of the sample being written
  absl::flat_hash_set<std::string> seen_;
};

}  // namespace

std::string CleanText(std::string_view text, std::size_t limit) {
  std::string clean;
  // Where an ellipsis would go if the text turned out too long.
  std::size_t cut = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = SequenceLength(text.substr(i));
    const bool bad = length == 0 || IsControl(text[i]);
    const std::string_view piece = bad ? kReplacement : text.substr(i, length);
    i += std::max<std::size_t>(length, 1);
    if (clean.size() + kEllipsis.size() <= limit) cut = clean.size();
    if (clean.size() + piece.size() > limit) {
      clean.resize(cut);
      return clean.append(kEllipsis);
    }
    clean.append(piece);
  }
  return clean;
}

std::string FormatValue(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Inf" : "+Inf";
  const double magnitude = std::fabs(value);
  if (magnitude < kTwoTo64 && magnitude == std::trunc(magnitude)) {
    return absl::StrCat(value < 0 ? "-" : "",
                        static_cast<std::uint64_t>(magnitude));
  }
  char digits[64];
  const auto result = std::to_chars(digits, digits + sizeof digits, value);
  return std::string(digits, result.ptr);
}

std::string FormatText(std::span<const MetricFamily> families,
                       TextReport* report) {
  std::vector<std::vector<const MetricFamily*>> groups;
  absl::flat_hash_map<std::string, std::size_t> group_of;
  for (const MetricFamily& family : families) {
    if (family.metric.empty()) continue;
    const auto [place, is_new] =
        group_of.try_emplace(family.name, groups.size());
    if (is_new) groups.emplace_back();
    groups[place->second].push_back(&family);
  }
  TextWriter writer(report);
  for (const auto& group : groups) writer.Write(group);
  return writer.Take();
}

}  // namespace heapledger::collector
