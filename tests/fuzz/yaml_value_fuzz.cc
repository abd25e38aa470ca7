// SPDX-License-Identifier: Apache-2.0
// Configuration files of anybody: every value can be asked for everything, and
// each error is one line that names its place.
#include <cstdint>
#include <string>

#include "collector/config/yaml_value.h"

namespace heapledger::collector {
namespace {

int g_left = 0;

void Check(const absl::Status& status) {
  if (status.ok()) return;
  const std::string why(status.message());
  if (!why.starts_with("fuzz.yaml")) __builtin_trap();
}

void Walk(const YamlValue& value, int depth) {
  // Aliases can make a small file endless.
  if (depth > 50 || --g_left < 0) return;
  if (value.line() < 1) __builtin_trap();
  Check(value.String().status());
  Check(value.Bool().status());
  Check(value.Number().status());
  const auto list = value.List();
  Check(list.status());
  if (list.ok()) {
    for (const YamlValue& item : *list) Walk(item, depth + 1);
  }
  const auto map = value.Map();
  Check(map.status());
  if (map.ok()) {
    for (const auto& [key, entry] : *map) Walk(entry, depth + 1);
  }
  Check(value.ReadMap({{"collect", [depth](const YamlValue& entry) {
                          Walk(entry, depth + 1);
                          return absl::OkStatus();
                        }}}));
}

}  // namespace
}  // namespace heapledger::collector

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using heapledger::collector::YamlValue;
  const auto value = YamlValue::Parse(
      {reinterpret_cast<const char*>(data), size}, "fuzz.yaml");
  heapledger::collector::g_left = 10000;
  heapledger::collector::Check(value.status());
  if (value.ok()) heapledger::collector::Walk(*value, 0);
  return 0;
}
