// SPDX-License-Identifier: Apache-2.0
// Numbers out of the kernel's text files, whoever wrote what stands there.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace heapledger::collector {

// Decimal digits and nothing else; none where the number does not fit.
[[nodiscard]] std::optional<std::uint64_t> ParseNumber(std::string_view text);

// The part before the next `separator`, which is taken off `rest` with it.
std::string_view NextPart(std::string_view& rest, char separator);

// The next word between blanks, taken off `rest`; empty at its end.
std::string_view NextWord(std::string_view& rest);

// A line to look for and where its number goes.
struct NamedNumber {
  std::string_view name;
  std::optional<std::uint64_t>* value;
};

// Reads lines "name number" and "name: number kB", these in bytes. The first
// line of a name counts; values without one stay as they are.
void ReadNumbers(std::string_view text,
                 std::initializer_list<NamedNumber> wanted);

}  // namespace heapledger::collector
