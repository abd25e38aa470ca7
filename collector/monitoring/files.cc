// SPDX-License-Identifier: Apache-2.0
#include "collector/monitoring/files.h"

#include "absl/strings/str_cat.h"
#include "collector/monitoring/jobs.h"
#include "collector/monitoring/tables.h"

namespace heapledger::collector::monitoring {
namespace {

using Json = nlohmann::ordered_json;

Json MetricsJson() {
  Json list = Json::array();
  for (const Metric& metric : Metrics()) {
    list.push_back(
        {{"name", metric.name},
         {"type", metric.type == MetricType::kGauge ? "gauge" : "counter"},
         {"labels", metric.labels},
         {"page", metric.page},
         {"what", metric.what}});
  }
  return list;
}

Json RulesJson(const Settings& settings) {
  Json list = Json::array();
  for (const RecordingRule& rule : RecordingRules()) {
    list.push_back({{"record", rule.record},
                    {"expr", Fill(settings, rule.expr)},
                    {"what", rule.what}});
  }
  return list;
}

Json AlertsJson(const Settings& settings) {
  Json list = Json::array();
  for (const Alert& alert : AllAlerts()) {
    list.push_back({{"alert", alert.name},
                    {"expr", Fill(settings, alert.expr)},
                    {"for", alert.hold},
                    {"keep_firing_for", alert.keep},
                    {"severity", SeverityWord(alert.severity)},
                    {"team", TeamName(settings, alert.team)},
                    {"summary", alert.summary},
                    {"description", alert.description},
                    {"action", alert.action},
                    {"runbook_url", RunbookUrl(settings, alert)}});
  }
  return list;
}

}  // namespace

std::vector<File> MonitoringFiles(const Settings& settings) {
  std::vector<File> files = {
      {"README.md", ReadmeFile(settings)},
      {"prometheus/prometheus.yml", PrometheusFile(settings)},
      {"prometheus/rules/heapledger-recording.yml",
       RecordingRulesFile(settings)},
      {"prometheus/rules/heapledger-alerts.yml", AlertsFile(settings)},
      {"alertmanager/alertmanager.yml", AlertmanagerFile(settings)},
      {"alertmanager/heapledger.tmpl", NotificationTemplates()},
      {"grafana/dashboards/heapledger-memory.json", DashboardFile(settings)}};
  for (File& file : GrafanaProvisioning(settings)) {
    files.push_back(std::move(file));
  }
  for (const Alert& alert : AllAlerts()) {
    files.push_back({absl::StrCat("runbooks/", std::string(alert.name), ".md"),
                     RunbookFile(settings, alert)});
  }
  return files;
}

Json Catalogue(const Settings& settings) {
  Json thresholds = Json::array();
  for (const Threshold& threshold : Thresholds()) {
    thresholds.push_back({{"name", threshold.name},
                          {"value", ThresholdValue(settings, threshold.name)},
                          {"what", threshold.what}});
  }
  Json jobs = Json::array();
  for (const Job& job : kJobs) {
    jobs.push_back(
        {{"job", absl::StrCat(settings.job_prefix, "-", std::string(job.page))},
         {"page", absl::StrCat("/metrics/", std::string(job.page))},
         {"interval", job.interval},
         {"timeout", job.timeout},
         {"sample_limit", SampleLimit(job)}});
  }
  return {{"metrics", MetricsJson()},
          {"thresholds", std::move(thresholds)},
          {"recording_rules", RulesJson(settings)},
          {"alerts", AlertsJson(settings)},
          {"jobs", std::move(jobs)}};
}

}  // namespace heapledger::collector::monitoring
