// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/byte_size.h"

#include <charconv>
#include <cstddef>
#include <limits>

namespace heapledger::collector::gate {
namespace {

// The factor of a unit; 0 for none that is known.
std::uint64_t FactorOf(std::string_view unit) {
  if (unit.empty() || unit == "B") return 1;
  constexpr std::string_view kLetters = "KMGT";
  const char letter = unit[0] == 'k' ? 'K' : unit[0];
  const std::size_t power = kLetters.find(letter);
  if (power == std::string_view::npos) return 0;
  unit.remove_prefix(1);
  std::uint64_t base = 0;
  if (unit.empty() || unit == "iB") base = 1024;
  if (unit == "B") base = 1000;
  std::uint64_t factor = 1;
  for (std::size_t i = 0; i <= power; ++i) factor *= base;
  return factor;
}

}  // namespace

std::optional<std::uint64_t> ParseByteSize(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::uint64_t factor =
      FactorOf(text.substr(static_cast<std::size_t>(end - text.data())));
  if (factor == 0 ||
      number > std::numeric_limits<std::uint64_t>::max() / factor) {
    return std::nullopt;
  }
  return number * factor;
}

}  // namespace heapledger::collector::gate
