// SPDX-License-Identifier: Apache-2.0
// The message of Alertmanager's webhook_config, version 4:
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "collector/response/webhook.h"

namespace heapledger::collector::response {
namespace {

using Json = nlohmann::json;

// Deeper than any message is, and less than a stack takes.
constexpr int kMaxDepth = 8;
constexpr std::size_t kMaxLabelBytes = 1024;

absl::Status Malformed(std::string_view why) {
  return absl::InvalidArgumentError(std::string(why));
}

// Empty where there is no such text.
std::string TextAt(const Json& object, const char* key) {
  const auto value = object.find(key);
  if (value == object.end() || !value->is_string()) return "";
  return value->get<std::string>().substr(0, kMaxLabelBytes);
}

std::string FingerprintOf(const Json& alert, const Json& labels) {
  std::string fingerprint = TextAt(alert, "fingerprint");
  if (!fingerprint.empty()) return fingerprint;
  // Of versions that send none: what Alertmanager makes it of.
  for (const auto& [name, value] : labels.items()) {
    if (value.is_string()) {
      absl::StrAppend(&fingerprint, name, "=", value.get<std::string>(), "\n");
    }
  }
  return fingerprint.substr(0, kMaxLabelBytes);
}

absl::StatusOr<ReadAlert> ReadOne(const Json& alert, const WebhookRules& rules,
                                  const std::set<std::string>& instances) {
  if (!alert.is_object()) return Malformed("an alert is no object");
  const auto labels = alert.find("labels");
  if (labels == alert.end() || !labels->is_object()) {
    return Malformed("an alert has no labels");
  }
  const std::string status = TextAt(alert, "status");
  if (status != "firing" && status != "resolved") {
    return Malformed("an alert is neither firing nor resolved");
  }
  ReadAlert read;
  const auto level = rules.alerts.find(TextAt(*labels, "alertname"));
  if (level == rules.alerts.end()) return read;
  const std::string instance = TextAt(*labels, "instance");
  const bool ours =
      instance.empty() || instances.contains(instance) ||
      std::ranges::find(rules.instances, instance) != rules.instances.end();
  if (!ours) {
    read.result = AlertResult::kOtherInstance;
    return read;
  }
  read.alert.process = TextAt(*labels, "process");
  if (read.alert.process.empty()) {
    read.result = AlertResult::kWithoutProcess;
    return read;
  }
  if (const std::string pid = TextAt(*labels, "pid"); !pid.empty()) {
    // What is no pid is nobody's.
    if (!absl::SimpleAtoi(pid, &read.alert.pid.emplace())) {
      return Malformed("an alert's pid is no number");
    }
  }
  read.alert.fingerprint = FingerprintOf(alert, *labels);
  const bool firing = status == "firing";
  read.result = firing ? AlertResult::kFiring : AlertResult::kResolved;
  read.alert.level = firing ? level->second : Level::kNone;
  return read;
}

}  // namespace

absl::StatusOr<std::vector<ReadAlert>> ParseWebhook(
    std::string_view body, const WebhookRules& rules,
    const std::set<std::string>& instances) {
  bool too_deep = false;
  const auto shallow = [&too_deep](int depth, Json::parse_event_t, Json&) {
    too_deep |= depth > kMaxDepth;
    return !too_deep;
  };
  const Json message = Json::parse(body.begin(), body.end(), shallow,
                                   /*allow_exceptions=*/false);
  if (too_deep || message.is_discarded() || !message.is_object()) {
    return Malformed("the body is no JSON object");
  }
  if (TextAt(message, "version") != "4") {
    return Malformed("its version is not 4, the one of Alertmanager");
  }
  const auto alerts = message.find("alerts");
  if (alerts == message.end() || !alerts->is_array()) {
    return Malformed("it has no list of alerts");
  }
  std::vector<ReadAlert> read;
  for (const Json& alert : *alerts) {
    if (read.size() >= kMaxWebhookAlerts) {
      return Malformed(absl::StrCat("it has more than ", kMaxWebhookAlerts,
                                    " alerts; set max_alerts"));
    }
    auto one = ReadOne(alert, rules, instances);
    if (!one.ok()) return one.status();
    read.push_back(*std::move(one));
  }
  return read;
}

}  // namespace heapledger::collector::response
