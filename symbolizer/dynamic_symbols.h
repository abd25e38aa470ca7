// SPDX-License-Identifier: Apache-2.0
// Symbols of a file's dynamic table by name, be they code or data.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "symbolizer/elf_file.h"

namespace heapledger::symbolizer {

struct DynamicSymbols {
  // ELF virtual addresses in the order of the names; none where the file does
  // not define it.
  std::vector<std::optional<std::uint64_t>> values;
  // Of what is mapped from the file's beginning, rounded to its page.
  std::uint64_t first_address = 0;
};

// A file that makes no sense has no symbols.
[[nodiscard]] DynamicSymbols FindDynamicSymbols(
    const ElfFile& file, const std::vector<std::string_view>& names);

}  // namespace heapledger::symbolizer
