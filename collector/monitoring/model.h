// SPDX-License-Identifier: Apache-2.0
// What the monitoring files are made of. Tables of these shapes are the one
// source of rules, routes, panels, runbooks and lists: a name that stands in
// two files cannot drift apart.
//
// Text of rules and panels may hold ${NAME}, which stands for the threshold of
// that name. Everything else with a dollar or in braces belongs to Prometheus'
// templates.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace heapledger::collector::monitoring {

enum class Unit { kRatio, kBytes, kSeconds, kPerSecond, kCount };

// A number that a user may set. Values are in base units.
struct Threshold {
  std::string_view name;
  Unit unit;
  double value;
  std::string_view what;
};

enum class MetricType { kGauge, kCounter };

// A family that the collector serves, as far as rules and panels read it.
struct Metric {
  std::string_view name;
  MetricType type;
  std::string_view labels;  // with commas, without those of Prometheus
  std::string_view page;    // under /metrics/; "self" stands on every page
  std::string_view what;
};

// How often a group of rules is evaluated.
enum class Pace { kFast, kSlow };

struct RecordingRule {
  std::string_view record;
  std::string_view expr;
  std::string_view what;
  Pace pace = Pace::kFast;
  // A label that the rule adds, or empty.
  std::string_view label = {};
  std::string_view value = {};
};

enum class Severity { kNone, kLow, kMedium, kHigh, kCritical };
enum class Team { kInfrastructure, kDevelopment };

// The part of a runbook that only a person can write. Markdown.
struct Runbook {
  std::string_view means;
  std::string_view look;   // what to look at first, as a list
  std::string_view act;    // what to do, as a list
  std::string_view quiet;  // when it is no fault, and what to set then
};

struct Alert {
  std::string_view name;
  std::string_view expr;
  std::string_view hold;  // `for`
  std::string_view keep;  // `keep_firing_for`, or empty
  Severity severity;
  Team team;
  std::string_view summary;
  std::string_view description;
  std::string_view action;
  Runbook runbook;
};

// While one of `sources` fires, `targets` with the same labels say nothing.
// Names are separated by '|'.
struct Inhibition {
  std::string_view sources;
  std::string_view targets;
  std::string_view equal;  // labels with commas; empty: whatever the labels
};

struct Query {
  std::string_view expr;    // $on: the chosen instances and processes
  std::string_view legend;  // Grafana's legend format
  bool dashed = false;
};

// A colour from a value upwards. Ascending; the first has no value.
struct Step {
  std::string_view colour;
  std::string_view from = {};  // a number or ${NAME}
};

enum class PanelType { kRow, kTimeSeries, kStacked, kStat, kTable };

struct Panel {
  PanelType type;
  std::string_view title;
  std::string_view what;
  std::string_view unit;  // Grafana's id of a unit
  int width = 0;          // of 24 columns
  std::array<Query, 4> queries = {};
  std::array<Step, 5> steps = {};
  std::string_view empty = {};  // shown by a stat without rows
};

[[nodiscard]] constexpr std::string_view SeverityWord(Severity severity) {
  constexpr std::array<std::string_view, 5> kWords = {"none", "low", "medium",
                                                      "high", "critical"};
  return kWords[static_cast<std::size_t>(severity)];
}

[[nodiscard]] constexpr std::string_view TeamWord(Team team) {
  return team == Team::kInfrastructure ? "infrastructure" : "development";
}

}  // namespace heapledger::collector::monitoring
