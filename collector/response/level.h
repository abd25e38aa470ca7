// SPDX-License-Identifier: Apache-2.0
// How pressed for memory a program is; the words are those of alerts, labels
// and rules.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace heapledger::collector::response {

enum class Level : std::uint8_t { kNone, kLow, kMedium, kHigh, kCritical };

// Those at which something is done.
inline constexpr std::array<Level, 4> kPressedLevels = {
    Level::kLow, Level::kMedium, Level::kHigh, Level::kCritical};

[[nodiscard]] constexpr std::string_view LevelWord(Level level) {
  constexpr std::array<std::string_view, 5> kWords = {"none", "low", "medium",
                                                      "high", "critical"};
  return kWords[static_cast<std::size_t>(level)];
}

// None where the word is no level.
[[nodiscard]] constexpr std::optional<Level> LevelOf(std::string_view word) {
  if (word == LevelWord(Level::kNone)) return Level::kNone;
  for (const Level level : kPressedLevels) {
    if (LevelWord(level) == word) return level;
  }
  return std::nullopt;
}

}  // namespace heapledger::collector::response
