// SPDX-License-Identifier: Apache-2.0
#include "collector/monitoring/yaml.h"

#include <nlohmann/json.hpp>

namespace heapledger::collector::monitoring {

std::string YamlString(std::string_view text) {
  // JSON's strings are strings of YAML.
  return nlohmann::json(std::string(text))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string Prefixed(std::string_view text, std::string_view prefix) {
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines += prefix;
    lines += text.substr(0, end);
    lines += '\n';
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::string YamlValue(std::string_view text, std::size_t indent) {
  if (text.find('\n') == std::string_view::npos) {
    return " " + YamlString(text) + "\n";
  }
  return " |-\n" + Prefixed(text, std::string(indent + 2, ' '));
}

}  // namespace heapledger::collector::monitoring
