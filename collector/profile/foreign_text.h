// SPDX-License-Identifier: Apache-2.0
// Names come from the target, and so can be any bytes. Here they become text
// that is safe in the file that it is written to.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace heapledger::collector {

// Valid UTF-8 on one line: control characters, C1 and the line separators of
// Unicode among them, and bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string OneLine(std::string_view text);

// The beginning of `text`, at most `bytes` long, that ends with a character.
[[nodiscard]] std::string_view Beginning(std::string_view text,
                                         std::size_t bytes);

// OneLine, escaped for an XML or HTML text or quoted attribute.
[[nodiscard]] std::string EscapeMarkup(std::string_view text);

// Appends a JSON string, quotes included. What is no UTF-8 becomes U+FFFD.
// `<`, U+2028 and U+2029 are escaped, so that the text may stand within a
// <script> of an HTML page.
void AppendJsonString(std::string_view text, std::string& out);

}  // namespace heapledger::collector
