// SPDX-License-Identifier: Apache-2.0
// Rule files and the scrape configuration of Prometheus.
#include "absl/strings/str_cat.h"
#include "collector/monitoring/files.h"
#include "collector/monitoring/jobs.h"
#include "collector/monitoring/tables.h"
#include "collector/monitoring/yaml.h"

namespace heapledger::collector::monitoring {
namespace {

std::string Header(std::string_view what) {
  return absl::StrCat("# ", std::string(what),
                      "\n# Written by `heapledger rules`; write it anew rather "
                      "than edit it.\n");
}

std::string Label(std::string_view name, std::string_view value) {
  return absl::StrCat("          ", std::string(name), ": ", YamlString(value),
                      "\n");
}

std::string RecordText(const RecordingRule& rule, std::string_view expr) {
  std::string text = absl::StrCat(Prefixed(rule.what, "      # "),
                                  "      - record: ", std::string(rule.record),
                                  "\n        expr:", YamlValue(expr, 8));
  if (!rule.label.empty()) {
    absl::StrAppend(&text, "        labels:\n", Label(rule.label, rule.value));
  }
  return text;
}

// Limits that the user gave, as series beside those of the collector.
std::string OwnLimits(const Settings& settings) {
  std::string text =
      "  # Limits given with --limit.\n"
      "  - name: heapledger-own-limits\n    interval: 15s\n    rules:\n";
  for (const auto& [process, bytes] : settings.limits) {
    const std::string of = absl::StrCat(
        "max by (instance, process, pid) (process_memory_rss_bytes"
        "{process=",
        YamlString(process), "})");
    absl::StrAppend(&text,
                    RecordText({.record = "memory:own_limit_bytes",
                                .expr = {},
                                .what = "The limit of this program.",
                                .label = "limit",
                                .value = "own"},
                               absl::StrCat("0 * ", of, " + ", bytes)),
                    RecordText({.record = "memory:own_headroom_bytes",
                                .expr = {},
                                .what = "What is left below it.",
                                .label = "limit",
                                .value = "own"},
                               absl::StrCat(bytes, " - ", of)));
  }
  return text;
}

// The rule's expression, which for a limit asks the user's own, too.
std::string ExprOf(const Settings& settings, const RecordingRule& rule) {
  if (!settings.limits.empty()) {
    for (const std::string_view what : {"limit", "headroom"}) {
      const std::string word(what);
      if (rule.record == absl::StrCat("memory:", word, "_bytes")) {
        return absl::StrCat(
            "min by (instance, process, pid) (\n  heapledger_memory_", word,
            "_bytes\n  or memory:own_", word, "_bytes\n)");
      }
    }
  }
  return Fill(settings, rule.expr);
}

std::string AlertText(const Settings& settings, const Alert& alert) {
  std::string text =
      absl::StrCat("      - alert: ", std::string(alert.name),
                   "\n        expr:", YamlValue(Fill(settings, alert.expr), 8),
                   "        for: ", std::string(alert.hold), "\n");
  if (!alert.keep.empty()) {
    absl::StrAppend(&text, "        keep_firing_for: ", std::string(alert.keep),
                    "\n");
  }
  return absl::StrCat(text, "        labels:\n",
                      Label("severity", SeverityWord(alert.severity)),
                      Label("team", TeamName(settings, alert.team)),
                      "        annotations:\n", Label("summary", alert.summary),
                      Label("description", alert.description),
                      Label("action", alert.action),
                      Label("runbook_url", RunbookUrl(settings, alert)));
}

std::string AlertGroup(const Settings& settings, std::string_view name,
                       std::span<const Alert> alerts) {
  std::string text = absl::StrCat("  - name: heapledger-", std::string(name),
                                  "\n    interval: 15s\n    rules:\n");
  for (const Alert& alert : alerts) text += AlertText(settings, alert);
  return text;
}

std::string JobText(const Settings& settings, const Job& job) {
  std::string text = absl::StrCat(
      "  - job_name: ", settings.job_prefix, "-", std::string(job.page),
      "\n    metrics_path: /metrics/", std::string(job.page),
      "\n    scrape_interval: ", std::string(job.interval),
      "\n    scrape_timeout: ", std::string(job.timeout),
      "\n    sample_limit: ", SampleLimit(job), "\n");
  if (settings.scrape_token) {
    absl::StrAppend(&text,
                    "    authorization:\n      type: Bearer\n"
                    "      credentials_file: ",
                    YamlString(settings.secrets + "/scrape_token"), "\n");
  }
  absl::StrAppend(&text, "    static_configs:\n      - targets:\n");
  for (const std::string& target : settings.targets) {
    absl::StrAppend(&text, "          - ", YamlString(target), "\n");
  }
  return text;
}

}  // namespace

std::string RunbookUrl(const Settings& settings, const Alert& alert) {
  return absl::StrCat(settings.runbook_base,
                      settings.runbook_base.ends_with('/') ? "" : "/",
                      std::string(alert.name), ".md");
}

std::string RecordingRulesFile(const Settings& settings) {
  std::string text = Header("Recording rules.") + "groups:\n";
  if (!settings.limits.empty()) text += OwnLimits(settings);
  for (const Pace pace : {Pace::kFast, Pace::kSlow}) {
    absl::StrAppend(&text, "  - name: heapledger-",
                    pace == Pace::kFast ? "recording" : "recording-slow",
                    "\n    interval: ", pace == Pace::kFast ? "15s" : "1m",
                    "\n    rules:\n");
    for (const RecordingRule& rule : RecordingRules()) {
      if (rule.pace != pace) continue;
      text += RecordText(rule, ExprOf(settings, rule));
    }
  }
  return text;
}

std::string AlertsFile(const Settings& settings) {
  return absl::StrCat(Header("Alerts; each has a runbook."), "groups:\n",
                      AlertGroup(settings, "levels", LevelAlerts()),
                      AlertGroup(settings, "growth", GrowthAlerts()),
                      AlertGroup(settings, "watching", WatchAlerts()));
}

std::string PrometheusFile(const Settings& settings) {
  std::string text = absl::StrCat(
      Header("A configuration of Prometheus, or parts to put into yours."),
      "global:\n  scrape_interval: 15s\n  evaluation_interval: 15s\n\n"
      "rule_files:\n  - rules/heapledger-recording.yml\n"
      "  - rules/heapledger-alerts.yml\n\n"
      "alerting:\n  alertmanagers:\n    - static_configs:\n"
      "        - targets:\n            - ",
      YamlString(settings.alertmanager),
      "\n\n# One job per page of the collector. /metrics has them all at once: "
      "scrape\n# either that page or these, not both.\nscrape_configs:\n");
  for (const Job& job : kJobs) text += JobText(settings, job);
  return text;
}

}  // namespace heapledger::collector::monitoring
