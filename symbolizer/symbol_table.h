// SPDX-License-Identifier: Apache-2.0
// Address -> symbol, from .symtab and .dynsym of one module and of its
// separate debug file together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "symbolizer/range_index.h"

namespace heapledger::symbolizer {

enum class SymbolType : std::uint8_t { kFunction, kUntyped };
enum class SymbolBinding : std::uint8_t { kGlobal, kWeak, kLocal };

// A symbol of code. Names are views into the ELF file, which must outlive it.
struct Symbol {
  std::string_view name;  // without version
  std::uint64_t value = 0;
  std::uint64_t size = 0;
  std::uint64_t section_end = 0;  // end of the section that it lies in
  SymbolType type = SymbolType::kFunction;
  SymbolBinding binding = SymbolBinding::kGlobal;
};

class SymbolTable {
 public:
  SymbolTable() = default;
  explicit SymbolTable(std::vector<Symbol> symbols);

  // Returns the symbol that covers `address`, or nullptr. Of several: one
  // with a size before one without (which reaches to the next symbol), the
  // one that starts last, functions before untyped ones, global before weak
  // before local, and then by name, fewest leading underscores first. So the
  // answer does not depend on the order of the symbols.
  const Symbol* Find(std::uint64_t address) const;

  bool empty() const { return symbols_.empty(); }
  std::size_t size() const { return symbols_.size(); }

 private:
  std::vector<Symbol> symbols_;
  RangeIndex<std::uint32_t> index_;
};

}  // namespace heapledger::symbolizer
