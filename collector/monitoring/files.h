// SPDX-License-Identifier: Apache-2.0
// The monitoring files, made from the tables and a user's settings. Nothing is
// written here: the verb does that.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "collector/monitoring/settings.h"

namespace heapledger::collector::monitoring {

struct File {
  std::string name;  // relative to the directory of all
  std::string text;
};

// All below, in the order in which a reader meets them. REQUIRES: the settings
// passed CheckSettings().
[[nodiscard]] std::vector<File> MonitoringFiles(const Settings& settings);

[[nodiscard]] std::string RecordingRulesFile(const Settings& settings);
[[nodiscard]] std::string AlertsFile(const Settings& settings);
[[nodiscard]] std::string PrometheusFile(const Settings& settings);
[[nodiscard]] std::string AlertmanagerFile(const Settings& settings);
[[nodiscard]] std::string NotificationTemplates();
[[nodiscard]] std::string DashboardFile(const Settings& settings);
[[nodiscard]] std::vector<File> GrafanaProvisioning(const Settings& settings);
[[nodiscard]] std::string RunbookFile(const Settings& settings,
                                      const Alert& alert);
[[nodiscard]] std::string ReadmeFile(const Settings& settings);

// metrics, thresholds, recording rules, alerts with their runbooks' addresses,
// jobs.
[[nodiscard]] nlohmann::ordered_json Catalogue(const Settings& settings);

// Where the runbook of an alert is to be found.
[[nodiscard]] std::string RunbookUrl(const Settings& settings,
                                     const Alert& alert);

}  // namespace heapledger::collector::monitoring
