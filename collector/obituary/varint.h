// SPDX-License-Identifier: Apache-2.0
// Whole numbers in as few bytes as they need: seven bits a byte, least
// significant first, the high bit set where more follow. A signed number is
// folded first, so that small ones of either sign stay short.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace heapledger::collector::obituary {

inline void AppendVarint(std::uint64_t number, std::string& out) {
  while (number >= 0x80) {
    out += static_cast<char>((number & 0x7f) | 0x80);
    number >>= 7;
  }
  out += static_cast<char>(number);
}

// Takes a number off the front of `bytes`; none where they end within it or it
// has more than 64 bits.
inline std::optional<std::uint64_t> TakeVarint(std::string_view& bytes) {
  std::uint64_t number = 0;
  constexpr std::size_t kMost = 10;
  for (std::size_t i = 0; i < kMost && i < bytes.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(bytes[i]);
    if (i == kMost - 1 && byte > 1) return std::nullopt;
    number |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) {
      bytes.remove_prefix(i + 1);
      return number;
    }
  }
  return std::nullopt;
}

// 0, -1, 1, -2 become 0, 1, 2, 3. Differences of unsigned numbers wrap, and
// wrap back when they are added: every pair of numbers has one.
constexpr std::uint64_t FoldSign(std::uint64_t difference) {
  return (difference << 1) ^ (0 - (difference >> 63));
}
constexpr std::uint64_t UnfoldSign(std::uint64_t folded) {
  return (folded >> 1) ^ (0 - (folded & 1));
}

}  // namespace heapledger::collector::obituary
