// SPDX-License-Identifier: Apache-2.0
#include "collector/system/numbers.h"

#include <charconv>
#include <limits>
#include <system_error>

namespace heapledger::collector {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::uint64_t kKibibyte = 1024;

// What follows the name on its line.
std::optional<std::uint64_t> NumberOf(std::string_view rest) {
  const auto number = ParseNumber(NextWord(rest));
  if (!number || NextWord(rest) != "kB") return number;
  if (*number > std::numeric_limits<std::uint64_t>::max() / kKibibyte) {
    return std::nullopt;
  }
  return *number * kKibibyte;
}

}  // namespace

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

std::string_view NextPart(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

std::string_view NextWord(std::string_view& rest) {
  const std::size_t begin = rest.find_first_not_of(kBlanks);
  rest.remove_prefix(begin == std::string_view::npos ? rest.size() : begin);
  const std::string_view word = rest.substr(0, rest.find_first_of(kBlanks));
  rest.remove_prefix(word.size());
  return word;
}

void ReadNumbers(std::string_view text,
                 std::initializer_list<NamedNumber> wanted) {
  while (!text.empty()) {
    std::string_view line = NextPart(text, '\n');
    std::string_view name = NextWord(line);
    if (name.ends_with(':')) name.remove_suffix(1);
    for (const NamedNumber& number : wanted) {
      if (name != number.name || number.value->has_value()) continue;
      *number.value = NumberOf(line);
      break;
    }
  }
}

}  // namespace heapledger::collector
