// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/rules_options.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/cli/run_snapshots.h"
#include "collector/gate/byte_size.h"

namespace heapledger::collector::cli {
namespace {

using monitoring::Settings;
using monitoring::Threshold;
using monitoring::Unit;

absl::Status Wrong(const std::string& option, const std::string& text,
                   const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(option, " ", text, ": ", why));
}

std::optional<std::pair<std::string, std::string>> Split(
    const std::string& text) {
  const std::size_t sign = text.find('=');
  if (sign == std::string::npos || sign == 0) return std::nullopt;
  return std::pair(text.substr(0, sign), text.substr(sign + 1));
}

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() ||
      text.empty()) {
    return std::nullopt;
  }
  return value;
}

// A value as people write one of this unit; none if it is not one.
std::optional<double> ParseValue(Unit unit, const std::string& text) {
  if (const auto plain = ParseNumber(text)) return plain;
  switch (unit) {
    case Unit::kRatio: {
      if (!text.ends_with('%')) return std::nullopt;
      const auto percent =
          ParseNumber(std::string_view(text).substr(0, text.size() - 1));
      if (!percent) return std::nullopt;
      return *percent / 100;
    }
    case Unit::kBytes: {
      const auto bytes = gate::ParseByteSize(text);
      if (!bytes) return std::nullopt;
      return static_cast<double>(*bytes);
    }
    case Unit::kSeconds: {
      const auto time = ParseInterval(text);
      if (!time.ok()) return std::nullopt;
      return std::chrono::duration<double>(*time).count();
    }
    case Unit::kPerSecond:
    case Unit::kCount:
      break;
  }
  return std::nullopt;
}

std::string Example(Unit unit) {
  switch (unit) {
    case Unit::kRatio:
      return "a share such as 0.8 or 80%";
    case Unit::kBytes:
      return "a size such as 64MiB";
    case Unit::kSeconds:
      return "a time such as 45m";
    case Unit::kPerSecond:
    case Unit::kCount:
      break;
  }
  return "a number";
}

absl::Status SetThreshold(const std::string& text, Settings& settings) {
  const auto words = Split(text);
  if (!words) {
    return Wrong("--threshold", text, "write it as NAME=VALUE");
  }
  const auto threshold = monitoring::FindThreshold(words->first);
  if (!threshold.ok()) return threshold.status();
  const auto value = ParseValue(threshold->unit, words->second);
  if (!value) {
    return Wrong(
        "--threshold", text,
        absl::StrCat(words->first, " takes ", Example(threshold->unit)));
  }
  settings.thresholds[words->first] = *value;
  return absl::OkStatus();
}

absl::Status SetLimit(const std::string& text, Settings& settings) {
  const auto words = Split(text);
  const auto bytes = words ? gate::ParseByteSize(words->second) : std::nullopt;
  if (!bytes) {
    return Wrong("--limit", text,
                 "write it as PROGRAM=SIZE, such as "
                 "nginx=512MiB");
  }
  settings.limits[words->first] = *bytes;
  return absl::OkStatus();
}

void SetTeam(const std::string& text, Settings& settings) {
  if (const auto words = Split(text)) {
    settings.teams[words->first] = words->second;
    return;
  }
  settings.teams["infrastructure"] = text;
  settings.teams["development"] = text;
}

CLI::Option* AddWord(CLI::App& app, const std::string& name, std::string& word,
                     const std::string& text, const std::string& type) {
  return app.add_option(name, word, text)->type_name(type);
}

void AddRepeated(CLI::App& app, const std::string& name,
                 std::vector<std::string>& words, const std::string& text,
                 const std::string& type) {
  app.add_option(name, words, text)->allow_extra_args(false)->type_name(type);
}

}  // namespace

void AddRulesOptions(CLI::App& app, RulesArguments& arguments) {
  Settings& settings = arguments.settings;
  AddWord(app, "-o,--output", arguments.directory,
          "Directory to write to (default heapledger-monitoring)", "DIR");
  app.add_flag("--force", arguments.force, "Overwrite files that are there");
  app.add_flag("--json", arguments.json,
               "Write no file; print metrics, thresholds, rules, alerts, jobs");
  AddRepeated(app, "--threshold", arguments.thresholds,
              "Set a threshold, repeatable; --json lists them", "NAME=VALUE");
  AddRepeated(app, "--limit", arguments.limits,
              "A limit that no control group knows of, repeatable",
              "PROGRAM=SIZE");
  AddRepeated(app, "--team", arguments.teams,
              "Your word for infrastructure or development, or one for both",
              "[ROLE=]NAME");
  AddWord(app, "--runbook-base", settings.runbook_base,
          "Where runbooks are published (default: where they are written)",
          "URL");
  AddWord(app, "--job-prefix", settings.job_prefix,
          "First word of the scrape jobs (default heapledger)", "NAME");
  AddRepeated(app, "--target", settings.targets,
              "A collector to scrape, repeatable (default 127.0.0.1:9797)",
              "HOST:PORT");
  app.add_flag("--scrape-token", settings.scrape_token,
               "Collectors want a token, from SECRETS/scrape_token");
  AddWord(app, "--alertmanager", settings.alertmanager,
          "Where alerts go (default 127.0.0.1:9093)", "HOST:PORT");
  AddWord(app, "--webhook", settings.webhook,
          "The collector's address for alerts (default on 127.0.0.1:9797)",
          "URL");
  AddWord(app, "--dead-man", settings.dead_man,
          "Who speaks up when the alert chain breaks", "URL");
  AddWord(app, "--secrets", settings.secrets,
          "Directory of secrets (default /etc/heapledger/secrets)", "DIR");
  AddWord(app, "--channel", settings.slack_channel,
          "Slack channel (default #memory-alerts)", "NAME");
  AddWord(app, "--critical-channel", settings.slack_critical_channel,
          "Slack channel of what cannot wait (default #critical-alerts)",
          "NAME");
  AddWord(app, "--grafana-source", settings.grafana_source,
          "Prometheus, as Grafana sees it (default http://127.0.0.1:9090)",
          "URL");
}

absl::StatusOr<Settings> SettingsFor(const RulesArguments& arguments) {
  Settings settings = arguments.settings;
  for (const std::string& text : arguments.thresholds) {
    if (absl::Status ok = SetThreshold(text, settings); !ok.ok()) return ok;
  }
  for (const std::string& text : arguments.limits) {
    if (absl::Status ok = SetLimit(text, settings); !ok.ok()) return ok;
  }
  for (const std::string& text : arguments.teams) SetTeam(text, settings);
  if (settings.runbook_base.empty()) {
    std::error_code error;
    const auto absolute = std::filesystem::absolute(arguments.directory, error);
    if (error) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the directory ", arguments.directory,
          " cannot be found: ", error.message(), "; give an absolute one"));
    }
    settings.runbook_base =
        absl::StrCat("file://", absolute.lexically_normal().string(),
                     arguments.directory.ends_with('/') ? "" : "/", "runbooks");
  }
  if (absl::Status ok = monitoring::CheckSettings(settings); !ok.ok()) {
    return ok;
  }
  return settings;
}

}  // namespace heapledger::collector::cli
