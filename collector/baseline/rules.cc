// SPDX-License-Identifier: Apache-2.0
#include "collector/baseline/rules.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/baseline/statistics.h"

namespace heapledger::collector::baseline {
namespace {

// A normal distribution's standard deviation over its MAD.
constexpr double kDeviationPerMad = 1.4826;

// How a quantity is exported and spoken of. The address space is left out: it
// is reserved, not used.
struct Series {
  Quantity quantity;
  const char* alert;
  const char* metric;
  const char* what;
  const char* humanize;  // the template function that shows a value
  bool of_process;       // has the label `process`
};

constexpr Series kSeries[] = {
    {Quantity::kRssBytes, "MemoryBaselineRss", "process_memory_rss_bytes",
     "resident memory", "humanize1024", true},
    {Quantity::kUsageRatio, "MemoryBaselineUsage",
     "heapledger_memory_usage_ratio", "share of its limit in use",
     "humanizePercentage", true},
    {Quantity::kAvailableBytes, "MemoryBaselineAvailable",
     "memory_available_bytes", "available memory of the host", "humanize1024",
     false},
    {Quantity::kHeapLiveBytes, "MemoryBaselineHeap",
     "heapledger_heap_live_bytes", "live heap", "humanize1024", true},
    {Quantity::kHeapLiveObjects, "MemoryBaselineObjects",
     "heapledger_heap_live_objects", "number of live heap blocks", "humanize",
     true},
    {Quantity::kOpenFds, "MemoryBaselineOpenFds", "heapledger_process_open_fds",
     "number of open descriptors", "humanize", true},
};

// A name in double quotes of PromQL, inside single quotes of YAML.
std::string Quoted(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\'') quoted += '\'';
    quoted += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  }
  return quoted + "\"";
}

// A label's value, and what it is in a template of ours: no braces, quotes.
std::string Plain(const std::string& name) {
  std::string plain = name;
  std::ranges::replace_if(
      plain,
      [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == '\'' || c == '{' ||
               c == '}';
      },
      '?');
  return plain;
}

std::string RuleText(const std::string& program, const Series& series,
                     const QuantileSketch& sketch, double threshold) {
  const bool falls = Falls(static_cast<std::size_t>(series.quantity));
  const std::string selector =
      series.of_process ? absl::StrCat("{process=", Quoted(program), "}") : "";
  const std::string name = Plain(program);
  return absl::StrCat(
      "      - alert: ", series.alert, "\n", "        # median ",
      absl::StrFormat("%.6g", sketch.Quantile(0.5)),
      falls ? absl::StrFormat(", p1 %.6g", sketch.Quantile(0.01))
            : absl::StrFormat(", p99 %.6g", sketch.Quantile(0.99)),
      absl::StrFormat(", mad %.6g, %d samples\n", sketch.MedianDeviation(),
                      sketch.count()),
      "        expr: '", series.metric, selector, falls ? " < " : " > ",
      absl::StrFormat("%.6g", threshold), "'\n", "        for: 15m\n",
      "        labels:\n", "          severity: low\n", "          program: '",
      name, "'\n", "        annotations:\n", "          summary: 'The ",
      series.what,
      series.of_process ? " of " + name : " of the host where it runs", " is ",
      falls ? "below" : "above", " its baseline'\n",
      "          description: 'It is {{ $value | ", series.humanize,
      " }}; normal is ", falls ? "no less than " : "up to ",
      absl::StrFormat("%.6g", threshold), ".'\n");
}

}  // namespace

bool Falls(std::size_t quantity) {
  return quantity == static_cast<std::size_t>(Quantity::kAvailableBytes);
}

std::optional<double> Threshold(const QuantileSketch& sketch,
                                std::size_t quantity,
                                const RuleOptions& options) {
  if (sketch.count() < std::max<std::uint64_t>(options.minimum_samples, 2)) {
    return std::nullopt;
  }
  const double median = sketch.Quantile(0.5);
  const double spread =
      options.deviations * kDeviationPerMad * sketch.MedianDeviation();
  if (Falls(quantity)) {
    const double threshold =
        std::min(sketch.Quantile(0.01) / options.beyond, median - spread);
    if (threshold <= 0) return std::nullopt;
    return threshold;
  }
  const double threshold =
      std::max(sketch.Quantile(0.99) * options.beyond, median + spread);
  // Nothing lies above a whole, and nothing above nothing is no threshold.
  const bool whole =
      quantity == static_cast<std::size_t>(Quantity::kUsageRatio) &&
      threshold >= 1;
  if (whole || threshold <= 0) return std::nullopt;
  return threshold;
}

std::optional<std::string> RulesText(const Baseline& baseline,
                                     const std::string& source,
                                     const RuleOptions& options) {
  std::string rules;
  for (const auto& [program, learned] : baseline) {
    const Period both = learned.Both();
    for (const Series& series : kSeries) {
      const auto quantity = static_cast<std::size_t>(series.quantity);
      const auto threshold = Threshold(both.all[quantity], quantity, options);
      if (!threshold) continue;
      rules += RuleText(program, series, both.all[quantity], *threshold);
    }
  }
  if (rules.empty()) return std::nullopt;
  return absl::StrCat(
      "# Written by heapledger baseline rules from ", Plain(source), ".\n",
      "groups:\n  - name: heapledger-baseline\n    rules:\n", rules);
}

}  // namespace heapledger::collector::baseline
