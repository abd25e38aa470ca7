// SPDX-License-Identifier: Apache-2.0
// The symbols of code in an ELF file, be it on disk or in memory.
#pragma once

#include <vector>

#include "symbolizer/symbol_table.h"

struct Elf;

namespace heapledger::symbolizer {

// Adds every symbol of code of .symtab and .dynsym. Their names are views into
// `elf`.
void AppendSymbols(Elf* elf, std::vector<Symbol>& symbols);

}  // namespace heapledger::symbolizer
