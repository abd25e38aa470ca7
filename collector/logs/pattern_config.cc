// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/pattern_config.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "collector/config/yaml_value.h"

namespace heapledger::collector::logs {
namespace {

// Names become label values, and one that is none would be everywhere.
bool IsName(const std::string& text) {
  return !text.empty() && text.size() <= 64 &&
         std::ranges::all_of(text, [](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
                  c == '_';
         });
}

YamlValue::Reader Into(std::string& text) {
  return [&text](const YamlValue& value) {
    absl::StatusOr<std::string> read = value.String();
    if (read.ok()) text = *std::move(read);
    return read.status();
  };
}

absl::StatusOr<std::vector<std::string>> Words(const YamlValue& list) {
  const auto items = list.List();
  if (!items.ok()) return items.status();
  std::vector<std::string> words;
  for (const YamlValue& item : *items) {
    if (absl::Status ok = Into(words.emplace_back())(item); !ok.ok()) return ok;
  }
  return words;
}

absl::Status ReadName(const YamlValue& value, std::string& name) {
  if (absl::Status ok = Into(name)(value); !ok.ok()) return ok;
  if (IsName(name)) return absl::OkStatus();
  return value.Error(
      absl::StrCat("'", name, "' is none of a-z, 0-9 and _, at most 64"));
}

absl::Status ReadSeverity(const YamlValue& value, Severity& severity) {
  const auto word = value.String();
  if (!word.ok()) return word.status();
  const auto known = SeverityOf(*word);
  if (!known) {
    return value.Error(absl::StrCat(
        "'", *word, "' is none of low, medium, high and critical"));
  }
  severity = *known;
  return absl::OkStatus();
}

absl::Status ReadPattern(const YamlValue& entry, Pattern& pattern) {
  Wording wording;
  bool has_severity = false;
  pattern.description = "of the user's patterns";
  const absl::Status read = entry.ReadMap(
      {{"name",
        [&](const YamlValue& value) { return ReadName(value, pattern.name); }},
       {"severity",
        [&](const YamlValue& value) {
          has_severity = true;
          return ReadSeverity(value, pattern.severity);
        }},
       {"description", Into(pattern.description)},
       {"regex", Into(wording.regex)},
       {"unless", Into(wording.unless)},
       {"programs",
        [&](const YamlValue& value) {
          auto words = Words(value);
          if (words.ok()) wording.programs = *std::move(words);
          return words.status();
        }},
       {"threshold", [&](const YamlValue& value) {
          const auto number = value.Number();
          if (number.ok()) wording.at_least = *number;
          return number.status();
        }}});
  if (!read.ok()) return read;
  if (pattern.name.empty()) return entry.Error("has no name");
  if (!has_severity) return entry.Error("has no severity");
  if (wording.regex.empty()) return entry.Error("has no regex");
  pattern.wordings.push_back(std::move(wording));
  return absl::OkStatus();
}

auto Find(std::vector<Pattern>& patterns, const std::string& name) {
  return std::ranges::find(patterns, name, &Pattern::name);
}

absl::Status Disable(const YamlValue& names, std::vector<Pattern>& patterns) {
  const auto words = Words(names);
  if (!words.ok()) return words.status();
  for (const std::string& name : *words) {
    const auto found = Find(patterns, name);
    if (found == patterns.end()) {
      return names.Error(
          absl::StrCat("has '", name, "', and no pattern is called so"));
    }
    patterns.erase(found);
  }
  return absl::OkStatus();
}

absl::Status AddPatterns(const YamlValue& list,
                         std::vector<Pattern>& patterns) {
  const auto entries = list.List();
  if (!entries.ok()) return entries.status();
  if (entries->size() > kMaxUserPatterns) {
    return list.Error(
        absl::StrCat("has more than ", kMaxUserPatterns, " entries"));
  }
  std::set<std::string> seen;
  for (const YamlValue& entry : *entries) {
    Pattern pattern;
    if (absl::Status ok = ReadPattern(entry, pattern); !ok.ok()) return ok;
    if (!seen.insert(pattern.name).second) {
      return entry.Error(absl::StrCat("has a name that ", pattern.name,
                                      " above it has already"));
    }
    const auto found = Find(patterns, pattern.name);
    if (found == patterns.end()) {
      patterns.push_back(std::move(pattern));
    } else {
      *found = std::move(pattern);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Pattern>> ParsePatternConfig(
    const std::string& text, const std::string& source) {
  const auto file = YamlValue::Parse(text, source);
  if (!file.ok()) return file.status();
  std::vector<Pattern> patterns = BuiltInPatterns();
  const absl::Status read =
      file->ReadMap({{"disable",
                      [&patterns](const YamlValue& value) {
                        return Disable(value, patterns);
                      }},
                     {"patterns", [&patterns](const YamlValue& value) {
                        return AddPatterns(value, patterns);
                      }}});
  if (!read.ok()) return read;
  return patterns;
}

}  // namespace heapledger::collector::logs
