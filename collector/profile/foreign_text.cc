// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/foreign_text.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace heapledger::collector {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::uint32_t kNotUtf8 = ~std::uint32_t{0};

struct Character {
  std::uint32_t code = kNotUtf8;
  std::size_t length = 1;  // bytes; 1 of what is no UTF-8
};

// The first character of a text that is not empty (RFC 3629: no overlong
// forms, no surrogates, nothing above U+10FFFF).
Character FirstOf(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  std::size_t length = 0;
  if (lead >= 0xc2 && lead < 0xe0) length = 2;
  if (lead >= 0xe0 && lead < 0xf0) length = 3;
  if (lead >= 0xf0 && lead < 0xf5) length = 4;
  if (length == 0 || text.size() < length) return {};
  std::uint32_t code = lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800,
                                                      0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  if (code < kSmallest[length] || code > 0x10ffff || surrogate) return {};
  return {code, length};
}

bool IsLineSeparator(std::uint32_t code) {
  return code == 0x2028 || code == 0x2029;
}

// What a line must not hold. U+FFFE and U+FFFF are no characters of XML.
bool IsControl(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) ||
         IsLineSeparator(code) || code == 0xfffe || code == 0xffff;
}

// The escape of JSON for `code`; empty where it stands for itself.
std::string_view JsonEscape(std::uint32_t code, std::array<char, 7>& buffer) {
  switch (code) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\t':
      return "\\t";
    default:
      break;
  }
  if (code >= 0x20 && code != '<' && code != 0x7f && !IsLineSeparator(code)) {
    return "";
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  buffer = {'\\', 'u'};
  for (std::size_t i = 0; i < 4; ++i) {
    buffer[2 + i] = kHex[(code >> (12 - 4 * i)) & 0xf];
  }
  return {buffer.data(), 6};
}

}  // namespace

std::string OneLine(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  while (!text.empty()) {
    const Character c = FirstOf(text);
    const bool good = c.code != kNotUtf8 && !IsControl(c.code);
    line += good ? text.substr(0, c.length) : kReplacement;
    text.remove_prefix(c.length);
  }
  return line;
}

std::string_view Beginning(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  // A byte of the form 10xxxxxx goes on with a character.
  while (bytes > 0 &&
         (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) {
    --bytes;
  }
  return text.substr(0, bytes);
}

std::string EscapeMarkup(std::string_view text) {
  std::string escaped;
  for (const char c : OneLine(text)) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

void AppendJsonString(std::string_view text, std::string& out) {
  std::array<char, 7> buffer = {};
  out += '"';
  while (!text.empty()) {
    const Character c = FirstOf(text);
    if (c.code == kNotUtf8) {
      out += kReplacement;
    } else {
      const std::string_view escape = JsonEscape(c.code, buffer);
      out += escape.empty() ? text.substr(0, c.length) : escape;
    }
    text.remove_prefix(c.length);
  }
  out += '"';
}

}  // namespace heapledger::collector
