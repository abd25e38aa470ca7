// SPDX-License-Identifier: Apache-2.0
// What was written, where it goes, and what is still to be done by hand.
#include "absl/strings/str_cat.h"
#include "collector/monitoring/files.h"
#include "collector/monitoring/tables.h"

namespace heapledger::collector::monitoring {
namespace {

std::string AlertTable(const Settings& settings) {
  std::string text =
      "| alert | severity | team | holds for |\n|---|---|---|---|\n";
  for (const Alert& alert : AllAlerts()) {
    absl::StrAppend(&text, "| [", std::string(alert.name), "](runbooks/",
                    std::string(alert.name), ".md) | ",
                    std::string(SeverityWord(alert.severity)), " | ",
                    TeamName(settings, alert.team), " | ",
                    std::string(alert.hold), " |\n");
  }
  return text;
}

std::string_view UnitWord(Unit unit) {
  switch (unit) {
    case Unit::kRatio:
      return "ratio";
    case Unit::kBytes:
      return "bytes";
    case Unit::kSeconds:
      return "seconds";
    case Unit::kPerSecond:
      return "per second";
    case Unit::kCount:
      return "count";
  }
  return "";
}

std::string ThresholdTable(const Settings& settings) {
  std::string text = "| threshold | value | unit | what |\n|---|---|---|---|\n";
  for (const Threshold& threshold : Thresholds()) {
    absl::StrAppend(&text, "| `", std::string(threshold.name), "` | ",
                    NumberText(ThresholdValue(settings, threshold.name)), " | ",
                    std::string(UnitWord(threshold.unit)), " | ",
                    std::string(threshold.what), " |\n");
  }
  return text;
}

}  // namespace

std::string ReadmeFile(const Settings& settings) {
  return absl::StrCat(
      R"(# Memory monitoring with heapledger

Written by `heapledger rules`. To change something, write it anew with other
options: `heapledger rules --help`.

| file | where it goes |
|---|---|
| `prometheus/prometheus.yml` | beside its `rules/`, or its parts into yours: `rule_files`, `alerting`, `scrape_configs` |
| `prometheus/rules/*.yml` | where `rule_files` points to |
| `alertmanager/alertmanager.yml` | beside `heapledger.tmpl`, or its parts into yours |
| `grafana/dashboards/*.json` | where `grafana/provisioning/dashboards` says |
| `grafana/provisioning/` | Grafana's directory of that name |
| `runbooks/` | )",
      settings.runbook_base, R"(, which every alert links to |

Check them with

```sh
promtool check config prometheus/prometheus.yml
amtool check-config alertmanager/alertmanager.yml
```

## Secrets

They stand in files that you make, readable to the program that needs them:

| file | what | read by |
|---|---|---|
| `)",
      settings.secrets,
      "/slack_api_url` | URL of a Slack webhook | Alertmanager |\n| `",
      settings.secrets,
      "/pagerduty_routing_key` | key of an Events API v2 integration | "
      "Alertmanager |\n| `",
      settings.secrets,
      "/webhook_token` | token that the collector asks of Alertmanager | "
      "Alertmanager, collector |\n",
      settings.scrape_token
          ? absl::StrCat("| `", settings.secrets,
                         "/scrape_token` | token that the collector asks of "
                         "Prometheus | Prometheus, collector |\n")
          : std::string(),
      R"(
## The dead man's switch

`HeapledgerWatchdog` fires always. )",
      settings.dead_man.empty()
          ? "Nobody listens to it yet: give `--dead-man URL` of a\nservice "
            "that "
            "speaks up when the messages stop.\n"
          : "It goes to " + settings.dead_man +
                ",\nwhich must speak up when the messages stop.\n",
      "\n## Alerts\n\n", AlertTable(settings),
      "\n## Thresholds\n\n`--threshold NAME=VALUE` sets one; sizes, durations "
      "and per cent are understood.\n\n",
      ThresholdTable(settings));
}

}  // namespace heapledger::collector::monitoring
