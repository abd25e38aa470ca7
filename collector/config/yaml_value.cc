// SPDX-License-Identifier: Apache-2.0
#include "collector/config/yaml_value.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <set>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector {
namespace {

// Longest part of a value that an error repeats.
constexpr std::size_t kMaxQuoted = 60;

std::string Quoted(std::string_view text) {
  std::string quoted =
      absl::StrCat("\"", std::string(text.substr(0, kMaxQuoted)));
  return absl::StrCat(quoted, text.size() > kMaxQuoted ? "…\"" : "\"");
}

// Takes in a document and makes nothing of it.
class Nothing final : public YAML::EventHandler {
 public:
  using Mark = YAML::Mark;
  using Style = YAML::EmitterStyle::value;
  void OnDocumentStart(const Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const Mark&, YAML::anchor_t) override {}
  void OnAlias(const Mark&, YAML::anchor_t) override {}
  void OnScalar(const Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const Mark&, const std::string&, YAML::anchor_t,
                       Style) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const Mark&, const std::string&, YAML::anchor_t,
                  Style) override {}
  void OnMapEnd() override {}
};

// Whether there is anything after the first document. Not by YAML::LoadAll(),
// which in 0.7 never ends at a bracket that closes nothing.
bool GoesOn(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Nothing nothing;
  return parser.HandleNextDocument(nothing) &&
         parser.HandleNextDocument(nothing);
}

}  // namespace

struct YamlValue::Node {
  YAML::Node yaml;
  std::string source;
  std::string path;  // keys with dots between; empty for the whole file
  int line = 1;      // of the key, where there is one
};

absl::StatusOr<YamlValue> YamlValue::Parse(const std::string& text,
                                           const std::string& source) {
  try {
    if (GoesOn(text)) {
      return absl::InvalidArgumentError(absl::StrCat(
          source,
          ": it goes on after its document, with another one or with a "
          "bracket that closes nothing"));
    }
    Node root;
    root.source = source;
    root.yaml = YAML::Load(text);
    return YamlValue(std::make_shared<const Node>(std::move(root)));
  } catch (const YAML::Exception& error) {
    std::string why = error.msg;
    std::replace(why.begin(), why.end(), '\n', ' ');
    return absl::InvalidArgumentError(
        error.mark.is_null()
            ? absl::StrCat(source, ": ", why)
            : absl::StrCat(source, " line ", error.mark.line + 1, ": ", why));
  } catch (const std::exception& error) {
    // yaml-cpp 0.7 lets others out on some broken files.
    return absl::InvalidArgumentError(
        absl::StrCat(source, ": it is no YAML (", error.what(), ")"));
  }
}

YamlValue::YamlValue(const YamlValue&) = default;
YamlValue& YamlValue::operator=(const YamlValue&) = default;
YamlValue::~YamlValue() = default;

YamlValue::Kind YamlValue::kind() const {
  switch (node_->yaml.Type()) {
    case YAML::NodeType::Scalar:
      return Kind::kScalar;
    case YAML::NodeType::Sequence:
      return Kind::kList;
    case YAML::NodeType::Map:
      return Kind::kMap;
    default:
      return Kind::kNothing;
  }
}

int YamlValue::line() const { return node_->line; }

std::string YamlValue::place() const {
  return absl::StrCat(node_->source, " line ", node_->line);
}

absl::Status YamlValue::Error(std::string_view why) const {
  return absl::InvalidArgumentError(
      absl::StrCat(node_->source, " line ", node_->line, ": ", node_->path,
                   node_->path.empty() ? "" : " ", std::string(why)));
}

absl::StatusOr<std::string> YamlValue::String() const {
  if (kind() != Kind::kScalar) {
    return Error(kind() == Kind::kNothing ? "has no value"
                                          : "takes one value, no list or map");
  }
  return node_->yaml.Scalar();
}

absl::StatusOr<bool> YamlValue::Bool() const {
  absl::StatusOr<std::string> text = String();
  if (!text.ok()) return text.status();
  const std::string word = absl::AsciiStrToLower(*text);
  if (word == "true" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "no" || word == "off") return false;
  return Error(absl::StrCat("is ", Quoted(*text), ", not true or false"));
}

absl::StatusOr<double> YamlValue::Number() const {
  absl::StatusOr<std::string> text = String();
  if (!text.ok()) return text.status();
  double number = 0;
  const char* const end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, number);
  if (error != std::errc() || rest != end || !std::isfinite(number)) {
    return Error(absl::StrCat("is ", Quoted(*text), ", not a number"));
  }
  return number;
}

absl::StatusOr<std::vector<YamlValue>> YamlValue::List() const {
  std::vector<YamlValue> items;
  if (kind() == Kind::kNothing) return items;
  if (kind() != Kind::kList) return Error("takes a list");
  for (const YAML::Node& item : node_->yaml) {
    items.push_back(YamlValue(std::make_shared<const Node>(Node{
        item, node_->source, absl::StrCat(node_->path, "[", items.size(), "]"),
        item.Mark().line + 1})));
  }
  return items;
}

absl::StatusOr<std::vector<std::pair<std::string, YamlValue>>> YamlValue::Map()
    const {
  std::vector<std::pair<std::string, YamlValue>> entries;
  if (kind() == Kind::kNothing) return entries;
  if (kind() != Kind::kMap) return Error("takes a map of keys and values");
  std::set<std::string> known;
  for (const auto& entry : node_->yaml) {
    const int line = entry.first.Mark().line + 1;
    const YamlValue here(std::make_shared<const Node>(
        Node{entry.first, node_->source, node_->path, line}));
    if (!entry.first.IsScalar()) return here.Error("has a key that is no word");
    const std::string key = entry.first.Scalar();
    if (!known.insert(key).second) {
      return here.Error(absl::StrCat("has the key ", Quoted(key), " twice"));
    }
    entries.emplace_back(
        key, YamlValue(std::make_shared<const Node>(
                 Node{entry.second, node_->source,
                      absl::StrCat(node_->path, node_->path.empty() ? "" : ".",
                                   key.substr(0, kMaxQuoted)),
                      line})));
  }
  return entries;
}

absl::Status YamlValue::ReadMap(const std::vector<Field>& fields) const {
  const auto entries = Map();
  if (!entries.ok()) return entries.status();
  for (const auto& [key, value] : *entries) {
    const auto field =
        std::ranges::find(fields, std::string_view(key), &Field::name);
    if (field == fields.end()) {
      std::string known;
      for (const Field& each : fields) {
        absl::StrAppend(&known, known.empty() ? "" : ", ",
                        std::string(each.name));
      }
      return value.Error(
          absl::StrCat("is no key known here; there are ", known));
    }
    if (absl::Status status = field->read(value); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace heapledger::collector
