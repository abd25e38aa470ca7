// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/pattern_config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <initializer_list>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector::logs {
namespace {

// What is wrong, and in which line (from 1; 0: the whole).
struct Complaint {
  int line = 0;
  std::string what;
};

Complaint At(const YAML::Node& node, std::string what) {
  return {node.Mark().line + 1, std::move(what)};
}

// Names become label values, and one that is none would be everywhere.
bool IsName(const std::string& text) {
  return !text.empty() && text.size() <= 64 &&
         std::ranges::all_of(text, [](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
                  c == '_';
         });
}

std::string Text(const YAML::Node& node, const char* key) {
  if (!node.IsScalar()) throw At(node, absl::StrCat(key, " is no text"));
  return node.Scalar();
}

std::vector<std::string> Texts(const YAML::Node& node, const char* key) {
  if (!node.IsSequence()) {
    throw At(node, absl::StrCat(key, " is no list; write [a, b]"));
  }
  std::vector<std::string> texts;
  for (const YAML::Node& entry : node) texts.push_back(Text(entry, key));
  return texts;
}

void AllowKeys(const YAML::Node& map, std::initializer_list<const char*> keys) {
  std::set<std::string> seen;
  for (const auto& entry : map) {
    const std::string key = Text(entry.first, "a key");
    if (std::ranges::find(keys, key) == keys.end()) {
      throw At(entry.first, absl::StrCat("'", key, "' is no key here"));
    }
    if (!seen.insert(key).second) {
      throw At(entry.first, absl::StrCat(key, " stands there twice"));
    }
  }
}

Wording ReadWording(const YAML::Node& node) {
  Wording wording;
  wording.regex = Text(node["regex"], "regex");
  if (wording.regex.empty()) throw At(node, "regex is empty");
  if (node["unless"]) wording.unless = Text(node["unless"], "unless");
  if (node["programs"]) {
    wording.programs = Texts(node["programs"], "programs");
  }
  if (node["threshold"]) {
    double number = 0;
    const std::string text = Text(node["threshold"], "threshold");
    if (!absl::SimpleAtod(text, &number) || !std::isfinite(number)) {
      throw At(node["threshold"],
               absl::StrCat("threshold '", text, "' is no number"));
    }
    wording.at_least = number;
  }
  return wording;
}

Pattern ReadPattern(const YAML::Node& node) {
  if (!node.IsMap()) throw At(node, "an entry of patterns has no keys");
  AllowKeys(node, {"name", "severity", "description", "regex", "unless",
                   "programs", "threshold"});
  for (const char* key : {"name", "severity", "regex"}) {
    if (!node[key]) throw At(node, absl::StrCat("a pattern has no ", key));
  }
  Pattern pattern;
  pattern.name = Text(node["name"], "name");
  if (!IsName(pattern.name)) {
    throw At(node["name"],
             absl::StrCat("name '", pattern.name,
                          "' is none of a-z, 0-9 and _, at most 64"));
  }
  const std::string word = Text(node["severity"], "severity");
  const auto severity = SeverityOf(word);
  if (!severity) {
    throw At(node["severity"],
             absl::StrCat("severity '", word,
                          "' is none of low, medium, high and critical"));
  }
  pattern.severity = *severity;
  pattern.description = node["description"]
                            ? Text(node["description"], "description")
                            : "of the user's patterns";
  pattern.wordings.push_back(ReadWording(node));
  return pattern;
}

std::vector<Pattern>::iterator Find(std::vector<Pattern>& patterns,
                                    const std::string& name) {
  return std::ranges::find(patterns, name, &Pattern::name);
}

void Disable(const YAML::Node& names, std::vector<Pattern>& patterns) {
  for (const std::string& name : Texts(names, "disable")) {
    const auto found = Find(patterns, name);
    if (found == patterns.end()) {
      throw At(names,
               absl::StrCat("disable: no pattern is called '", name, "'"));
    }
    patterns.erase(found);
  }
}

void Read(const YAML::Node& root, std::vector<Pattern>& patterns) {
  if (root.IsNull()) return;
  if (!root.IsMap()) throw At(root, "the file has no keys");
  AllowKeys(root, {"disable", "patterns"});
  if (root["disable"]) Disable(root["disable"], patterns);
  const YAML::Node list = root["patterns"];
  if (!list) return;
  if (!list.IsSequence()) throw At(list, "patterns is no list");
  if (list.size() > kMaxUserPatterns) {
    throw At(list, absl::StrCat("more than ", kMaxUserPatterns, " patterns"));
  }
  std::set<std::string> seen;
  for (const YAML::Node& node : list) {
    Pattern pattern = ReadPattern(node);
    if (!seen.insert(pattern.name).second) {
      throw At(node,
               absl::StrCat("pattern ", pattern.name, " stands there twice"));
    }
    const auto found = Find(patterns, pattern.name);
    if (found == patterns.end()) {
      patterns.push_back(std::move(pattern));
    } else {
      *found = std::move(pattern);
    }
  }
}

absl::Status Refused(const std::string& source, const Complaint& complaint) {
  return absl::InvalidArgumentError(
      absl::StrCat("log patterns ", source,
                   complaint.line > 0 ? absl::StrCat(":", complaint.line) : "",
                   ": ", complaint.what, "; mend the file"));
}

}  // namespace

absl::StatusOr<std::vector<Pattern>> ParsePatternConfig(
    std::string_view text, const std::string& source) {
  if (text.size() > kMaxConfigBytes) {
    return Refused(source, {0, "the file is larger than 1 MiB"});
  }
  std::vector<Pattern> patterns = BuiltInPatterns();
  // yaml-cpp speaks in exceptions, of its own and of the standard library.
  try {
    Read(YAML::Load(std::string(text)), patterns);
  } catch (const Complaint& complaint) {
    return Refused(source, complaint);
  } catch (const YAML::Exception& error) {
    return Refused(source, {error.mark.line + 1, error.msg});
  } catch (const std::exception& error) {
    return Refused(source, {0, error.what()});
  }
  return patterns;
}

}  // namespace heapledger::collector::logs
