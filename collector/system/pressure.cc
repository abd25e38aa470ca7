// SPDX-License-Identifier: Apache-2.0
#include "collector/system/pressure.h"

#include "collector/system/numbers.h"

namespace heapledger::collector {
namespace {

// "some avg10=0.00 avg60=0.00 avg300=0.00 total=123"
std::optional<std::uint64_t> TotalOf(std::string_view line) {
  constexpr std::string_view kTotal = "total=";
  for (auto word = NextWord(line); !word.empty(); word = NextWord(line)) {
    if (word.starts_with(kTotal)) {
      return ParseNumber(word.substr(kTotal.size()));
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<MemoryPressure> ParsePressure(std::string_view text) {
  std::optional<std::uint64_t> some;
  std::optional<std::uint64_t> full;
  while (!text.empty()) {
    std::string_view line = NextPart(text, '\n');
    const std::string_view kind = NextWord(line);
    if (kind == "some") some = TotalOf(line);
    if (kind == "full") full = TotalOf(line);
  }
  if (!some || !full) return std::nullopt;
  return MemoryPressure{.some_us = *some, .full_us = *full};
}

}  // namespace heapledger::collector
