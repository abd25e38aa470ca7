// SPDX-License-Identifier: Apache-2.0
// Routes, inhibitions, receivers and texts of Alertmanager 0.25 and newer.
//
// repeat_interval stands a little below a multiple of group_interval: at the
// multiple itself the clock decides, and every other message is left out.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "collector/monitoring/files.h"
#include "collector/monitoring/tables.h"
#include "collector/monitoring/yaml.h"

namespace heapledger::collector::monitoring {
namespace {

// The names of the alerts that `wanted` picks, as a regular expression.
template <typename Wanted>
std::string Names(Wanted wanted) {
  std::string names;
  for (const Alert& alert : AllAlerts()) {
    if (!wanted(alert)) continue;
    absl::StrAppend(&names, names.empty() ? "" : "|", std::string(alert.name));
  }
  return names;
}

bool IsAboutWatching(const Alert& alert) {
  return alert.name.starts_with("Heapledger");
}

std::string Matchers(std::string_view key, std::size_t indent,
                     const std::vector<std::string>& matchers) {
  const std::string pad(indent, ' ');
  std::string text = absl::StrCat(pad, std::string(key), ":\n");
  for (const std::string& matcher : matchers) {
    absl::StrAppend(&text, pad, "  - ", YamlString(matcher), "\n");
  }
  return text;
}

std::string NameMatcher(std::string_view names) {
  return absl::StrCat("alertname=~\"", std::string(names), "\"");
}

std::string Routes() {
  const std::string critical = Names([](const Alert& alert) {
    return !IsAboutWatching(alert) && alert.severity == Severity::kCritical;
  });
  const std::string memory =
      Names([](const Alert& alert) { return !IsAboutWatching(alert); });
  return absl::StrCat(
      "route:\n"
      "  receiver: heapledger-default\n"
      "  group_by: [alertname, instance, process]\n"
      "  group_wait: 10s\n  group_interval: 1m\n  repeat_interval: 4h\n"
      "  routes:\n"
      "    # The dead man's switch: it fires always.\n"
      "    - receiver: heapledger-dead-man\n",
      Matchers("matchers", 6,
               {"alertname=\"HeapledgerWatchdog\"", "severity=\"none\""}),
      "      group_wait: 0s\n      group_interval: 1m\n"
      "      repeat_interval: 55s\n"
      "    # Wakes somebody up; the next route tells the others.\n"
      "    - receiver: critical-memory-alerts\n",
      Matchers("matchers", 6, {"severity=\"critical\"", NameMatcher(critical)}),
      "      group_wait: 0s\n      group_interval: 30s\n"
      "      repeat_interval: 14m45s\n      continue: true\n"
      "    - receiver: memory-alerts\n",
      Matchers("matchers", 6, {NameMatcher(memory)}),
      "      group_interval: 30s\n"
      "      routes:\n"
      "        # What can wait for working hours.\n"
      "        - receiver: memory-alerts\n",
      Matchers("matchers", 10, {"severity=~\"low|medium\""}),
      "          group_wait: 30s\n          group_interval: 5m\n"
      "          repeat_interval: 12h\n");
}

std::string InhibitRules() {
  std::string text =
      "# One event, one message: the first of a rule silences the second.\n"
      "inhibit_rules:\n";
  for (const Inhibition& inhibition : Inhibitions()) {
    std::string source =
        Matchers("source_matchers", 4, {NameMatcher(inhibition.sources)});
    source[2] = '-';
    absl::StrAppend(
        &text, source,
        Matchers("target_matchers", 4, {NameMatcher(inhibition.targets)}));
    if (inhibition.equal.empty()) continue;
    absl::StrAppend(
        &text, "    equal: [",
        absl::StrReplaceAll(
            absl::string_view(inhibition.equal.data(), inhibition.equal.size()),
            {{",", ", "}}),
        "]\n");
  }
  return text;
}

std::string Slack(const Settings& settings, std::string_view channel,
                  std::string_view text) {
  return absl::StrCat("    slack_configs:\n      - api_url_file: ",
                      YamlString(settings.secrets + "/slack_api_url"),
                      "\n        channel: ", YamlString(channel),
                      "\n        send_resolved: true\n"
                      "        color: '{{ template \"heapledger.color\" . }}'\n"
                      "        title: '{{ template \"heapledger.title\" . }}'\n"
                      "        text: '{{ template \"",
                      std::string(text), "\" . }}'\n");
}

std::string DeadMan(const Settings& settings) {
  if (settings.dead_man.empty()) {
    return "  # Nobody listens yet: give --dead-man URL of a service that "
           "speaks up\n  # when the messages stop.\n"
           "  - name: heapledger-dead-man\n";
  }
  return absl::StrCat(
      "  - name: heapledger-dead-man\n    webhook_configs:\n      - url: ",
      YamlString(settings.dead_man), "\n        send_resolved: false\n");
}

std::string Receivers(const Settings& settings) {
  return absl::StrCat(
      "# Secrets stand in files of their own, readable to Alertmanager alone.\n"
      "receivers:\n  - name: heapledger-default\n",
      Slack(settings, settings.slack_channel, "heapledger.text"),
      DeadMan(settings), "  - name: memory-alerts\n",
      Slack(settings, settings.slack_channel, "heapledger.text"),
      "    # The collector, which can respond by itself.\n"
      "    webhook_configs:\n      - url: ",
      YamlString(settings.webhook),
      "\n        send_resolved: true\n        max_alerts: 100\n"
      "        http_config:\n          authorization:\n"
      "            type: Bearer\n            credentials_file: ",
      YamlString(settings.secrets + "/webhook_token"),
      "\n  - name: critical-memory-alerts\n    pagerduty_configs:\n"
      "      - routing_key_file: ",
      YamlString(settings.secrets + "/pagerduty_routing_key"),
      "\n        severity: critical\n"
      "        description: '{{ template \"heapledger.title\" . }}'\n"
      "        details:\n"
      "          alerts: '{{ template \"heapledger.text\" . }}'\n",
      Slack(settings, settings.slack_critical_channel, "heapledger.text"));
}

}  // namespace

std::string AlertmanagerFile(const Settings& settings) {
  return absl::StrCat(
      "# A configuration of Alertmanager, or parts to put into yours.\n"
      "# Written by `heapledger rules`; write it anew rather than edit it.\n"
      "templates:\n  - heapledger.tmpl\n\n",
      Routes(), "\n", InhibitRules(), "\n", Receivers(settings));
}

std::string NotificationTemplates() {
  // Of a group only what all its alerts share can stand outside the range.
  return R"({{/* Written by `heapledger rules`. */}}
{{ define "heapledger.color" -}}
{{ if eq .Status "resolved" }}good{{ else if eq .CommonLabels.severity "critical" "high" }}danger{{ else }}warning{{ end }}
{{- end }}

{{ define "heapledger.title" -}}
{{ if eq .Status "resolved" }}Resolved{{ else }}{{ .CommonLabels.severity | toUpper }}{{ end }}: {{ with .CommonAnnotations.summary }}{{ . }}{{ else }}{{ len .Alerts }} of {{ .CommonLabels.alertname }}{{ end }}
{{- end }}

{{ define "heapledger.text" -}}
{{ range .Alerts }}
{{- if eq .Status "resolved" }}Resolved: {{ end }}{{ .Annotations.description }}
Team: {{ .Labels.team }}
Action: {{ .Annotations.action }}
Runbook: {{ .Annotations.runbook_url }}
{{ end }}
{{- end }}
)";
}

}  // namespace heapledger::collector::monitoring
