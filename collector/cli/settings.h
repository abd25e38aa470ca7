// SPDX-License-Identifier: Apache-2.0
// A verb's settings: command line, then environment, then file.
//
// The table is the verb's own options: one line of add_option() makes
//
//   --tls-cert FILE   HEAPLEDGER_COLLECT_TLS_CERT   collect: {tls_cert: FILE}
//
// with the same type and the same checks, and a line of --show-config. What has
// a structure that no option can carry is a section of the file alone.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "collector/config/yaml_value.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace heapledger::collector::cli {

inline constexpr const char* kDefaultConfigFile =
    "/etc/heapledger/heapledger.yaml";

class Settings {
 public:
  // Takes every option that `app` has by now, and adds --config and
  // --show-config. The file's keys stand below `verb`.
  Settings(CLI::App& app, std::string verb);

  // A key that only the file has; `read` reports with YamlValue::Error().
  void AddSection(std::string name,
                  std::function<absl::Status(const YamlValue&)> read);

  // The option `name` is read from this variable, too, which other verbs share.
  void AlsoFrom(const std::string& name, std::string variable);

  // Once the command line has been parsed: fills what it left open. Errors are
  // InvalidArgument, one sentence with the place.
  [[nodiscard]] absl::Status Load();

  [[nodiscard]] bool show_asked() const { return show_; }
  // What holds after Load(), as a file that would say the same, with the place
  // that each value is from.
  [[nodiscard]] std::string ToYaml() const;

 private:
  struct Setting {
    CLI::Option* option = nullptr;
    std::string key;                     // tls_cert
    std::vector<std::string> variables;  // HEAPLEDGER_COLLECT_TLS_CERT
    std::string default_text;
    std::string source = "default";
    std::vector<std::string> words;  // empty for a default
  };
  struct Section {
    std::string name;
    std::function<absl::Status(const YamlValue&)> read;
    std::string source;
  };

  static std::string DefaultText(const Setting& setting);
  [[nodiscard]] absl::Status LoadEnvironment();
  [[nodiscard]] absl::Status LoadFile();
  [[nodiscard]] absl::Status LoadSections(const YamlValue& file);

  const std::string verb_;
  std::string file_;  // as given; the default one where empty
  bool show_ = false;
  std::vector<Setting> settings_;
  std::vector<Section> sections_;
};

}  // namespace heapledger::collector::cli
