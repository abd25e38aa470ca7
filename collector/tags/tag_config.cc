// SPDX-License-Identifier: Apache-2.0
#include "collector/tags/tag_config.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "collector/config/yaml_value.h"

namespace heapledger::collector {
namespace {

// As those that programs give.
constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxKeyBytes = 32;
constexpr std::size_t kMaxValueBytes = 64;
constexpr std::size_t kMaxLabels = 4;

YamlValue::Reader Into(std::string& text) {
  return [&text](const YamlValue& value) {
    absl::StatusOr<std::string> read = value.String();
    if (read.ok()) text = *std::move(read);
    return read.status();
  };
}

YamlValue::Reader Into(std::vector<std::string>& words) {
  return [&words](const YamlValue& list) -> absl::Status {
    const auto items = list.List();
    if (!items.ok()) return items.status();
    for (const YamlValue& item : *items) {
      absl::Status ok = Into(words.emplace_back())(item);
      if (!ok.ok()) return ok;
    }
    return absl::OkStatus();
  };
}

absl::Status CheckText(const YamlValue& value, const std::string& text,
                       std::size_t limit) {
  if (!text.empty() && text.size() <= limit) return absl::OkStatus();
  return value.Error(absl::StrCat("'", text, "' has not 1 to ", limit,
                                  " bytes; choose another text"));
}

absl::Status ReadTagName(const YamlValue& value, std::string& name) {
  if (absl::Status ok = Into(name)(value); !ok.ok()) return ok;
  if (name.starts_with("_")) {
    return value.Error(absl::StrCat("'", name,
                                    "' begins with _, as the names for all "
                                    "that has no tag of its own do"));
  }
  return CheckText(value, name, kMaxNameBytes);
}

absl::Status ReadLabels(const YamlValue& value, TagInfo& tag) {
  const auto entries = value.Map();
  if (!entries.ok()) return entries.status();
  if (entries->size() > kMaxLabels) {
    return value.Error(absl::StrCat("has more than ", kMaxLabels, " labels"));
  }
  for (const auto& [key, item] : *entries) {
    TagLabel& label = tag.labels.emplace_back();
    label.key = key;
    absl::Status ok = Into(label.value)(item);
    if (ok.ok()) ok = CheckText(item, label.key, kMaxKeyBytes);
    if (ok.ok()) ok = CheckText(item, label.value, kMaxValueBytes);
    if (!ok.ok()) return ok;
  }
  return absl::OkStatus();
}

absl::Status ReadMatch(const YamlValue& value, TagMatch& match) {
  const auto word = value.String();
  if (!word.ok()) return word.status();
  if (*word != "any" && *word != "innermost") {
    return value.Error(
        absl::StrCat("'", *word, "' is none of any and innermost"));
  }
  match = *word == "any" ? TagMatch::kAny : TagMatch::kInnermost;
  return absl::OkStatus();
}

absl::Status ReadRule(const YamlValue& entry, TagRule& rule) {
  const absl::Status read = entry.ReadMap(
      {{"tag",
        [&](const YamlValue& value) {
          return ReadTagName(value, rule.tag.name);
        }},
       {"labels",
        [&](const YamlValue& value) { return ReadLabels(value, rule.tag); }},
       {"processes", Into(rule.processes)},
       {"function", Into(rule.function)},
       {"module", Into(rule.module)},
       {"file", Into(rule.file)},
       {"match",
        [&](const YamlValue& value) { return ReadMatch(value, rule.match); }}});
  if (!read.ok()) return read;
  if (rule.tag.name.empty()) return entry.Error("has no tag");
  if (rule.function.empty() && rule.module.empty() && rule.file.empty()) {
    return entry.Error("has no pattern; give one as function, module or file");
  }
  return absl::OkStatus();
}

absl::Status ReadRules(const YamlValue& list, TagConfig& config) {
  const auto entries = list.List();
  if (!entries.ok()) return entries.status();
  std::vector<TagRule> rules;
  for (const YamlValue& entry : *entries) {
    absl::Status ok = ReadRule(entry, rules.emplace_back());
    if (!ok.ok()) return ok;
    // One by one, so that an error knows its line.
    const auto compiled = TagRules::Compile({rules.back()});
    if (!compiled.ok())
      return entry.Error(std::string(compiled.status().message()));
  }
  auto compiled = TagRules::Compile(std::move(rules));
  if (!compiled.ok())
    return list.Error(std::string(compiled.status().message()));
  config.rules = *std::move(compiled);
  return absl::OkStatus();
}

// As Prometheus has it; a metric's may hold colons, too.
bool IsMetricName(const std::string& text, bool colons) {
  return !text.empty() && text.size() <= 128 &&
         !absl::ascii_isdigit(static_cast<unsigned char>(text[0])) &&
         std::ranges::all_of(text, [colons](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  c == '_' || (colons && c == ':');
         });
}

absl::Status ReadMetricName(const YamlValue& value, std::string& name) {
  if (absl::Status ok = Into(name)(value); !ok.ok()) return ok;
  if (!IsMetricName(name, true)) {
    return value.Error(
        absl::StrCat("'", name, "' is no name that a metric can have"));
  }
  if (!name.starts_with("heapledger_")) return absl::OkStatus();
  return value.Error(absl::StrCat(
      "'", name, "' begins as our own metrics do; choose another name"));
}

absl::Status ReadMetricLabels(const YamlValue& value,
                              std::vector<std::string>& labels) {
  if (absl::Status ok = Into(labels)(value); !ok.ok()) return ok;
  std::set<std::string> seen = {"process", "pid"};
  for (const std::string& label : labels) {
    if (!IsMetricName(label, false) || label.starts_with("__")) {
      return value.Error(
          absl::StrCat("'", label, "' is no name that a label can have"));
    }
    if (!seen.insert(label).second) {
      return value.Error(absl::StrCat("has the label ", label, " twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadValue(const YamlValue& value, TagValue& of) {
  static constexpr std::pair<const char*, TagValue> kWords[] = {
      {"live_bytes", TagValue::kLiveBytes},
      {"live_objects", TagValue::kLiveObjects},
      {"allocated_bytes", TagValue::kAllocatedBytes},
      {"open_scopes", TagValue::kOpenScopes}};
  const auto word = value.String();
  if (!word.ok()) return word.status();
  for (const auto& [name, meant] : kWords) {
    if (*word != name) continue;
    of = meant;
    return absl::OkStatus();
  }
  return value.Error(absl::StrCat("'", *word,
                                  "' is none of live_bytes, live_objects, "
                                  "allocated_bytes and open_scopes"));
}

absl::Status ReadMetric(const YamlValue& entry, ApplicationMetric& metric) {
  const absl::Status read = entry.ReadMap(
      {{"metric",
        [&](const YamlValue& value) {
          return ReadMetricName(value, metric.name);
        }},
       {"tag",
        [&](const YamlValue& value) { return ReadTagName(value, metric.tag); }},
       {"labels",
        [&](const YamlValue& value) {
          return ReadMetricLabels(value, metric.labels);
        }},
       {"value",
        [&](const YamlValue& value) { return ReadValue(value, metric.value); }},
       {"help", Into(metric.help)}});
  if (!read.ok()) return read;
  if (metric.name.empty()) return entry.Error("has no metric");
  if (metric.tag.empty()) return entry.Error("has no tag");
  const bool counts = metric.value == TagValue::kAllocatedBytes;
  if (counts != metric.name.ends_with("_total")) {
    return entry.Error(
        "breaks the rule that what only grows (allocated_bytes) has a name "
        "that ends in _total, and nothing else has");
  }
  if (metric.help.empty()) {
    metric.help = absl::StrCat("Of the tag `", metric.tag, "`.");
  }
  return absl::OkStatus();
}

absl::Status ReadMetrics(const YamlValue& list, TagConfig& config) {
  const auto entries = list.List();
  if (!entries.ok()) return entries.status();
  if (entries->size() > kMaxApplicationMetrics) {
    return list.Error(
        absl::StrCat("has more than ", kMaxApplicationMetrics, " entries"));
  }
  std::set<std::string> seen;
  for (const YamlValue& entry : *entries) {
    ApplicationMetric metric;
    if (absl::Status ok = ReadMetric(entry, metric); !ok.ok()) return ok;
    if (!seen.insert(metric.name).second) {
      return entry.Error(absl::StrCat("has a name that ", metric.name,
                                      " above it has already"));
    }
    const auto built_in = std::ranges::find(config.metrics, metric.name,
                                            &ApplicationMetric::name);
    if (built_in == config.metrics.end()) {
      config.metrics.push_back(std::move(metric));
    } else {
      *built_in = std::move(metric);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TagConfig> ParseTagConfig(const std::string& text,
                                         const std::string& source) {
  const auto file = YamlValue::Parse(text, source);
  if (!file.ok()) return file.status();
  TagConfig config;
  const absl::Status read = file->ReadMap(
      {{"tags",
        [&config](const YamlValue& value) { return ReadRules(value, config); }},
       {"metrics", [&config](const YamlValue& value) {
          return ReadMetrics(value, config);
        }}});
  if (!read.ok()) return read;
  return config;
}

}  // namespace heapledger::collector
