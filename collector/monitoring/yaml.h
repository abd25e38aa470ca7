// SPDX-License-Identifier: Apache-2.0
// Text as YAML takes it, and lines with an indent.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace heapledger::collector::monitoring {

// Double-quoted, so that no reader takes it for anything but a string.
[[nodiscard]] std::string YamlString(std::string_view text);

// The value of a key that stands `indent` columns in: one line quoted, several
// as a literal block. Starts with the space behind the colon, ends in a line
// break.
[[nodiscard]] std::string YamlValue(std::string_view text, std::size_t indent);

// Every line of `text` behind `prefix`.
[[nodiscard]] std::string Prefixed(std::string_view text,
                                   std::string_view prefix);

}  // namespace heapledger::collector::monitoring
