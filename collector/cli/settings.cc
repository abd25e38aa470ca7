// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/settings.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "collector/config/read_file.h"

namespace heapledger::collector::cli {
namespace {

constexpr const char* kFileVariable = "HEAPLEDGER_CONFIG";

bool IsFlag(const CLI::Option& option) {
  return option.get_items_expected_max() == 0;
}

bool IsList(const CLI::Option& option) {
  return option.get_items_expected_max() > 1;
}

// Gives the option its words as if they came from the command line. Returns
// what is wrong with them, as the end of a sentence; empty if nothing is.
std::string Apply(CLI::Option& option, const std::vector<std::string>& words) {
  try {
    option.clear();
    option.add_result(words);
    option.run_callback();
    return "";
  } catch (const CLI::ConversionError&) {
    return absl::StrCat(
        "is \"", words.empty() ? "" : words.front(), "\", not ",
        IsFlag(option) ? "true or false" : option.get_type_name());
  } catch (const CLI::ParseError& error) {
    const std::string prefix = option.get_name() + ": ";
    std::string why = error.what();
    if (why.starts_with(prefix)) why.erase(0, prefix.size());
    return absl::StrCat("is refused: ", why);
  }
}

// The words that an option would have got on the command line.
absl::StatusOr<std::vector<std::string>> WordsOf(const CLI::Option& option,
                                                 const YamlValue& value) {
  std::vector<std::string> words;
  if (IsFlag(option)) {
    const auto flag = value.Bool();
    if (!flag.ok()) return flag.status();
    words.emplace_back(*flag ? "true" : "false");
    return words;
  }
  // One value may stand for a list of one.
  if (IsList(option) && value.kind() != YamlValue::Kind::kScalar) {
    const auto items = value.List();
    if (!items.ok()) return items.status();
    for (const YamlValue& item : *items) {
      auto word = item.String();
      if (!word.ok()) return word.status();
      words.push_back(*std::move(word));
    }
    if (words.empty()) return value.Error("is an empty list");
    return words;
  }
  auto word = value.String();
  if (!word.ok()) return word.status();
  words.push_back(*std::move(word));
  return words;
}

bool IsNumber(const std::string& text) {
  char* end = nullptr;
  (void)std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0';
}

// A string as JSON writes it is one of YAML's, too.
std::string Scalar(const std::string& text) {
  if (IsNumber(text) || text == "true" || text == "false") return text;
  return nlohmann::json(text).dump(-1, ' ', false,
                                   nlohmann::json::error_handler_t::replace);
}

std::string Value(const CLI::Option& option,
                  const std::vector<std::string>& words) {
  std::string value;
  for (const std::string& word : words) {
    absl::StrAppend(&value, value.empty() ? "" : ", ", Scalar(word));
  }
  return IsList(option) ? "[" + value + "]" : value;
}

}  // namespace

Settings::Settings(CLI::App& app, std::string verb) : verb_(std::move(verb)) {
  for (CLI::Option* const option : app.get_options()) {
    if (option == app.get_help_ptr() || option->get_lnames().empty()) continue;
    Setting& setting = settings_.emplace_back();
    setting.option = option;
    setting.key =
        absl::StrReplaceAll(option->get_lnames().front(), {{"-", "_"}});
    setting.variables.push_back(absl::AsciiStrToUpper(
        absl::StrCat("heapledger_", verb_, "_", setting.key)));
    // The help would show it beside the one in the words.
    setting.default_text = option->capture_default_str()->get_default_str();
    option->default_str("");
  }
  app.add_option("--config", file_,
                 absl::StrCat("Read the settings that are given neither here "
                              "nor in the environment from this file (default ",
                              kDefaultConfigFile, ")"))
      ->type_name("FILE");
  app.add_flag("--show-config", show_,
               "Print what holds, and from where, and end");
}

void Settings::AddSection(std::string name,
                          std::function<absl::Status(const YamlValue&)> read) {
  sections_.push_back({std::move(name), std::move(read), ""});
}

void Settings::AlsoFrom(const std::string& name, std::string variable) {
  const auto setting = std::ranges::find(settings_, name, &Setting::key);
  if (setting == settings_.end()) return;
  setting->variables.push_back(std::move(variable));
}

absl::Status Settings::Load() {
  for (Setting& setting : settings_) {
    if (setting.option->count() == 0) continue;
    setting.source = "command line";
    setting.words = setting.option->results();
  }
  absl::Status status = LoadEnvironment();
  return status.ok() ? LoadFile() : status;
}

absl::Status Settings::LoadEnvironment() {
  for (Setting& setting : settings_) {
    for (const std::string& variable : setting.variables) {
      const char* const text = ::secure_getenv(variable.c_str());
      if (text == nullptr || *text == '\0' || setting.source != "default") {
        continue;
      }
      std::vector<std::string> words = {text};
      if (IsList(*setting.option)) words = absl::StrSplit(text, ',');
      const std::string why = Apply(*setting.option, words);
      if (!why.empty()) {
        return absl::InvalidArgumentError(absl::StrCat(
            variable, " ", why, "; see heapledger ", verb_, " --help"));
      }
      setting.source = variable;
      setting.words = std::move(words);
    }
  }
  return absl::OkStatus();
}

absl::Status Settings::LoadFile() {
  std::string file = file_;
  if (file.empty()) {
    const char* const named = ::secure_getenv(kFileVariable);
    if (named != nullptr) file = named;
  }
  const bool named = !file.empty();
  if (!named) file = kDefaultConfigFile;
  const auto text = ReadConfigFile(file);
  if (absl::IsNotFound(text.status()) && !named) return absl::OkStatus();
  if (!text.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(text.status().message()),
                     "; give a file that can be read with --config"));
  }
  const auto root = YamlValue::Parse(*text, file);
  if (!root.ok()) return root.status();
  return root->ReadMap({{verb_, [this](const YamlValue& value) {
                           return LoadSections(value);
                         }}});
}

absl::Status Settings::LoadSections(const YamlValue& file) {
  std::vector<YamlValue::Field> fields;
  for (Setting& setting : settings_) {
    fields.push_back(
        {setting.key, [&setting](const YamlValue& value) -> absl::Status {
           auto words = WordsOf(*setting.option, value);
           if (!words.ok()) return words.status();
           if (setting.source != "default") return absl::OkStatus();
           const std::string why = Apply(*setting.option, *words);
           if (!why.empty()) return value.Error(why);
           setting.source = value.place();
           setting.words = *std::move(words);
           return absl::OkStatus();
         }});
  }
  for (Section& section : sections_) {
    fields.push_back({section.name, [&section](const YamlValue& value) {
                        section.source = value.place();
                        return section.read(value);
                      }});
  }
  return file.ReadMap(fields);
}

// Empty for an option that means nothing until it is given.
std::string Settings::DefaultText(const Setting& setting) {
  if (IsFlag(*setting.option)) return "false";
  std::string text = setting.default_text;
  // CLI11 writes lists in brackets.
  if (IsList(*setting.option) && text.starts_with("[") && text.ends_with("]")) {
    text = text.substr(1, text.size() - 2);
  }
  if (text.empty()) return "";
  return Value(*setting.option, absl::StrSplit(text, ','));
}

std::string Settings::ToYaml() const {
  std::string text = verb_ + ":\n";
  for (const Setting& setting : settings_) {
    const std::string value = setting.words.empty()
                                  ? DefaultText(setting)
                                  : Value(*setting.option, setting.words);
    if (value.empty()) {
      absl::StrAppend(&text, "  # ", setting.key, ": not set\n");
      continue;
    }
    absl::StrAppend(&text, "  ", setting.key, ": ", value, "  # ",
                    setting.source, "\n");
  }
  for (const Section& section : sections_) {
    absl::StrAppend(&text, "  # ", section.name, ": ",
                    section.source.empty() ? "not set" : section.source, "\n");
  }
  return text;
}

}  // namespace heapledger::collector::cli
