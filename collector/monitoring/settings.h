// SPDX-License-Identifier: Apache-2.0
// What a user says of the monitoring files: names, places, limits, thresholds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/monitoring/model.h"

namespace heapledger::collector::monitoring {

struct Settings {
  std::string job_prefix = "heapledger";
  std::vector<std::string> targets = {"127.0.0.1:9797"};
  std::string alertmanager = "127.0.0.1:9093";
  // Where the collector takes Alertmanager's messages.
  std::string webhook = "http://127.0.0.1:9797/webhooks/memory-alerts";
  // What shall speak up when HeapledgerWatchdog stops; empty: nobody.
  std::string dead_man;
  std::string runbook_base;
  std::string grafana_source = "http://127.0.0.1:9090";
  // Directory of the files that hold secrets: slack_api_url,
  // pagerduty_routing_key, webhook_token and scrape_token.
  std::string secrets = "/etc/heapledger/secrets";
  bool scrape_token = false;  // the collector wants one
  std::string slack_channel = "#memory-alerts";
  std::string slack_critical_channel = "#critical-alerts";
  // The user's word for infrastructure and for development.
  std::map<std::string, std::string, std::less<>> teams;
  // Program name to bytes: limits that no control group knows of.
  std::map<std::string, std::uint64_t, std::less<>> limits;
  // Those that differ from the table's.
  std::map<std::string, double, std::less<>> thresholds;
};

// InvalidArgument with the one thing that is wrong, and what would be right.
[[nodiscard]] absl::Status CheckSettings(const Settings& settings);

// The threshold of that name; InvalidArgument names those that there are.
[[nodiscard]] absl::StatusOr<Threshold> FindThreshold(std::string_view name);

// As it holds with these settings. REQUIRES: `name` is a threshold's.
[[nodiscard]] double ThresholdValue(const Settings& settings,
                                    std::string_view name);

// As PromQL takes it: 1048576, 0.7.
[[nodiscard]] std::string NumberText(double value);

// `text` with its ${NAME}s filled in. REQUIRES: each is a threshold's name, or
// `jobs` (a regular expression of all our jobs) or `memory_job`.
[[nodiscard]] std::string Fill(const Settings& settings, std::string_view text);

[[nodiscard]] std::string TeamName(const Settings& settings, Team team);

}  // namespace heapledger::collector::monitoring
