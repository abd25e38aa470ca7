// SPDX-License-Identifier: Apache-2.0
// Readers of single values of a rules file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/config/yaml_value.h"
#include "collector/response/action.h"

namespace heapledger::collector::response {

inline constexpr std::size_t kMaxWords = 64;

[[nodiscard]] YamlValue::Reader Into(std::string& text);
[[nodiscard]] YamlValue::Reader Into(bool& flag);
[[nodiscard]] YamlValue::Reader Into(std::vector<std::string>& words);
// "30s"; `least` and beyond.
[[nodiscard]] YamlValue::Reader IntoSpan(Duration& span, Duration least = {});
// A whole number from `least` to `most`.
template <typename Number>
[[nodiscard]] YamlValue::Reader IntoWhole(Number& number, int least, int most);
[[nodiscard]] YamlValue::Reader IntoBytes(std::uint64_t& bytes);
// "10%" or "64MiB".
[[nodiscard]] YamlValue::Reader IntoAmount(Amount& amount);
// Fit for a label: a-z, 0-9 and _-:. of 64 characters at most.
[[nodiscard]] YamlValue::Reader IntoName(std::string& name);

[[nodiscard]] absl::StatusOr<int> ReadWhole(const YamlValue& value, int least,
                                            int most);

template <typename Number>
YamlValue::Reader IntoWhole(Number& number, int least, int most) {
  return [&number, least, most](const YamlValue& value) {
    const auto read = ReadWhole(value, least, most);
    if (read.ok()) number = static_cast<Number>(*read);
    return read.status();
  };
}

}  // namespace heapledger::collector::response
