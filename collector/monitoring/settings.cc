// SPDX-License-Identifier: Apache-2.0
#include "collector/monitoring/settings.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/monitoring/tables.h"

namespace heapledger::collector::monitoring {
namespace {

absl::Status Wrong(std::string_view what, std::string_view text,
                   std::string_view remedy) {
  return absl::InvalidArgumentError(absl::StrCat("the ", std::string(what),
                                                 " '", std::string(text), "' ",
                                                 std::string(remedy)));
}

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// HOST:PORT, where an IPv6 address stands in brackets.
bool IsHostPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (!bracketed && host.find(':') != std::string_view::npos) return false;
  const bool plain = std::ranges::all_of(host, [](char c) {
    return IsNameCharacter(c) || c == '.' || c == ':' || c == '[' || c == ']';
  });
  return plain && !port.empty() && port.size() <= 5 &&
         std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
}

bool IsUrl(std::string_view text, std::span<const std::string_view> schemes) {
  const bool known = std::ranges::any_of(schemes, [text](auto scheme) {
    return text.starts_with(scheme) && text.size() > scheme.size();
  });
  return known && std::ranges::all_of(text, [](char c) {
           return c > ' ' && c < 0x7f && c != '"' && c != '\\';
         });
}

bool IsOneLine(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return static_cast<unsigned char>(c) >= ' ' && c != 0x7f;
  });
}

constexpr std::array<std::string_view, 2> kWeb = {"http://", "https://"};
constexpr std::array<std::string_view, 3> kWebOrFile = {"http://", "https://",
                                                        "file://"};

absl::Status CheckNames(const Settings& settings) {
  if (settings.job_prefix.empty() ||
      !std::ranges::all_of(settings.job_prefix, IsNameCharacter)) {
    return Wrong("job prefix", settings.job_prefix,
                 "may hold letters, digits, '_' and '-' only");
  }
  for (const auto& [role, name] : settings.teams) {
    if (role != "infrastructure" && role != "development") {
      return Wrong("team", role,
                   "is none that alerts go to; name infrastructure or "
                   "development");
    }
    if (!IsOneLine(name)) {
      return Wrong("team name", name, "must be one line of text");
    }
  }
  for (const std::string* channel :
       {&settings.slack_channel, &settings.slack_critical_channel}) {
    if (!IsOneLine(*channel)) {
      return Wrong("channel", *channel, "must be one line of text");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPlaces(const Settings& settings) {
  if (settings.targets.empty()) {
    return absl::InvalidArgumentError("there is no target to scrape; name one");
  }
  for (const std::string& target : settings.targets) {
    if (!IsHostPort(target)) {
      return Wrong("target", target, "is no HOST:PORT such as 10.0.0.5:9797");
    }
  }
  if (!IsHostPort(settings.alertmanager)) {
    return Wrong("Alertmanager", settings.alertmanager,
                 "is no HOST:PORT such as 127.0.0.1:9093");
  }
  for (const auto& [what, url] :
       {std::pair<std::string_view, std::string_view>{"webhook",
                                                      settings.webhook},
        {"Grafana source", settings.grafana_source}}) {
    if (!IsUrl(url, kWeb)) return Wrong(what, url, "is no http or https URL");
  }
  if (!settings.dead_man.empty() && !IsUrl(settings.dead_man, kWeb)) {
    return Wrong("dead man's URL", settings.dead_man,
                 "is no http or https URL");
  }
  if (!IsUrl(settings.runbook_base, kWebOrFile)) {
    return Wrong("runbook base", settings.runbook_base,
                 "is no http, https or file URL");
  }
  if (!settings.secrets.starts_with('/') || !IsOneLine(settings.secrets)) {
    return Wrong("directory of secrets", settings.secrets,
                 "must be an absolute path, as other programs read it");
  }
  return absl::OkStatus();
}

absl::Status CheckValues(const Settings& settings) {
  for (const auto& [name, value] : settings.thresholds) {
    const auto threshold = FindThreshold(name);
    if (!threshold.ok()) return threshold.status();
    if (!std::isfinite(value) || value <= 0) {
      return Wrong("threshold", name, "must be above 0");
    }
    // The baseline's is a factor: more than normal.
    const bool share =
        threshold->unit == Unit::kRatio && name != "baseline_ratio";
    if (share && value >= 1) {
      return Wrong("threshold", name,
                   "is a share and must be below 1, or 100%");
    }
  }
  constexpr std::array<std::array<std::string_view, 2>, 5> kAscending = {
      {{"usage_early", "usage_high"},
       {"usage_high", "usage_critical"},
       {"usage_critical", "usage_fatal"},
       {"growth_high", "growth_critical"},
       {"exhaustion_imminent", "exhaustion_predicted"}}};
  for (const auto& [lower, upper] : kAscending) {
    const double floor = ThresholdValue(settings, lower);
    if (floor < ThresholdValue(settings, upper)) continue;
    return Wrong("threshold", upper,
                 absl::StrCat("must be above ", std::string(lower),
                              ", which is ", NumberText(floor)));
  }
  for (const auto& [process, bytes] : settings.limits) {
    if (!IsOneLine(process) || bytes == 0) {
      return Wrong("limit of", process,
                   "must name a program and be above 0 bytes");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSettings(const Settings& settings) {
  for (const auto check : {CheckNames, CheckPlaces, CheckValues}) {
    if (absl::Status ok = check(settings); !ok.ok()) return ok;
  }
  return absl::OkStatus();
}

absl::StatusOr<Threshold> FindThreshold(std::string_view name) {
  const auto found = std::ranges::find(Thresholds(), name, &Threshold::name);
  if (found != Thresholds().end()) return *found;
  std::string names;
  for (const Threshold& threshold : Thresholds()) {
    absl::StrAppend(&names, names.empty() ? "" : ", ",
                    std::string(threshold.name));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "there is no threshold '", std::string(name), "'; there are ", names));
}

double ThresholdValue(const Settings& settings, std::string_view name) {
  const auto own = settings.thresholds.find(name);
  return own != settings.thresholds.end() ? own->second
                                          : FindThreshold(name)->value;
}

std::string NumberText(double value) {
  if (value == std::floor(value) && std::fabs(value) < 1e15) {
    return absl::StrFormat("%.0f", value);
  }
  return absl::StrFormat("%.10g", value);
}

std::string Fill(const Settings& settings, std::string_view text) {
  std::string filled;
  while (true) {
    const std::size_t start = text.find("${");
    if (start == std::string_view::npos) break;
    const std::size_t end = text.find('}', start);
    filled += text.substr(0, start);
    const std::string_view name = text.substr(start + 2, end - start - 2);
    if (name == "jobs") {
      absl::StrAppend(&filled, settings.job_prefix,
                      "-(memory|python|gc|callsites)");
    } else if (name == "memory_job") {
      absl::StrAppend(&filled, settings.job_prefix, "-memory");
    } else {
      filled += NumberText(ThresholdValue(settings, name));
    }
    text.remove_prefix(end + 1);
  }
  filled += text;
  return filled;
}

std::string TeamName(const Settings& settings, Team team) {
  const auto own = settings.teams.find(TeamWord(team));
  return own != settings.teams.end() ? own->second
                                     : std::string(TeamWord(team));
}

}  // namespace heapledger::collector::monitoring
