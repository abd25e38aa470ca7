// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/clean_text.h"

#include <algorithm>

namespace heapledger::collector {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::string_view kEllipsis = "\xe2\x80\xa6";     // U+2026

// Bytes of the UTF-8 sequence that `text` begins with; 0 if it is none
// (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t SequenceLength(std::string_view text) {
  const auto byte = [&text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto follows = [&byte](std::size_t i, unsigned low = 0x80,
                               unsigned high = 0xbf) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return follows(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const unsigned low = lead == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : 0xbf;
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const unsigned low = lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xf4 ? 0x8f : 0xbf;
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\n') || byte == 0x7f;
}

}  // namespace

bool IsPlainText(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return static_cast<unsigned char>(c) < 0x80 && !IsControl(c);
  });
}

std::string CleanText(std::string_view text, std::size_t limit) {
  std::string clean;
  // Where an ellipsis would go if the text turned out too long.
  std::size_t cut = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = SequenceLength(text.substr(i));
    const bool bad = length == 0 || IsControl(text[i]);
    const std::string_view piece = bad ? kReplacement : text.substr(i, length);
    i += std::max<std::size_t>(length, 1);
    if (clean.size() + kEllipsis.size() <= limit) cut = clean.size();
    if (clean.size() + piece.size() > limit) {
      clean.resize(cut);
      return clean.append(kEllipsis);
    }
    clean.append(piece);
  }
  return clean;
}

}  // namespace heapledger::collector
