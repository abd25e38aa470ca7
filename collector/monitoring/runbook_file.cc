// SPDX-License-Identifier: Apache-2.0
// A runbook: what the table says, and what a person wrote for it.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "collector/monitoring/files.h"
#include "collector/monitoring/tables.h"
#include "collector/monitoring/yaml.h"

namespace heapledger::collector::monitoring {
namespace {

// A table of the thresholds that the rule reads; empty if it reads none.
std::string ThresholdTable(const Settings& settings, const Alert& alert) {
  std::string rows;
  for (const Threshold& threshold : Thresholds()) {
    const std::string sign =
        absl::StrCat("${", std::string(threshold.name), "}");
    if (alert.expr.find(sign) == std::string_view::npos) continue;
    absl::StrAppend(&rows, "| `", std::string(threshold.name), "` | ",
                    NumberText(ThresholdValue(settings, threshold.name)),
                    " |\n");
  }
  if (rows.empty()) return "";
  return "\n| threshold | value |\n|---|---|\n" + rows;
}

// The alerts that say the same when this one is silenced by them.
std::string SilencedBy(const Alert& alert) {
  std::string names;
  for (const Inhibition& inhibition : Inhibitions()) {
    const std::vector<std::string> targets = absl::StrSplit(
        absl::string_view(inhibition.targets.data(), inhibition.targets.size()),
        '|');
    for (const std::string& target : targets) {
      if (target != alert.name) continue;
      absl::StrAppend(&names, names.empty() ? "" : ", ",
                      std::string(inhibition.sources));
    }
  }
  return names.empty() ? "" : "\nSilenced while " + names + " fires.\n";
}

}  // namespace

std::string RunbookFile(const Settings& settings, const Alert& alert) {
  return absl::StrCat(
      "# ", std::string(alert.name), "\n\nSeverity ",
      std::string(SeverityWord(alert.severity)), ", for the team ",
      TeamName(settings, alert.team), ". ", std::string(alert.action),
      "\n\n## What it means\n\n", std::string(alert.runbook.means),
      "\n## Look first\n\n", std::string(alert.runbook.look), "\n## Act\n\n",
      std::string(alert.runbook.act), "\n## When it is no fault\n\n",
      std::string(alert.runbook.quiet), "\n## The rule\n\nHolds for ",
      std::string(alert.hold), " before it fires",
      alert.keep.empty()
          ? std::string()
          : absl::StrCat(", and is kept for ", std::string(alert.keep),
                         " behind the last time that it held"),
      ":\n\n```promql\n", Fill(settings, alert.expr), "\n```\n",
      ThresholdTable(settings, alert), SilencedBy(alert));
}

}  // namespace heapledger::collector::monitoring
