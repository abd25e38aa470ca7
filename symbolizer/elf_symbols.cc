// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/elf_symbols.h"

#include <gelf.h>
#include <libelf.h>

#include <cstdint>
#include <optional>

#include "symbolizer/demangle.h"

namespace heapledger::symbolizer {
namespace {

struct Section {
  std::uint64_t end;
  bool is_code;
};

// Indexed like the section header table.
std::vector<Section> ReadSectionTable(Elf* elf) {
  std::vector<Section> sections(1);  // index 0 is SHN_UNDEF
  for (Elf_Scn* scn = elf_nextscn(elf, nullptr); scn != nullptr;
       scn = elf_nextscn(elf, scn)) {
    GElf_Shdr header{};
    if (gelf_getshdr(scn, &header) == nullptr) header = {};
    const std::uint64_t end = header.sh_addr + header.sh_size;
    sections.push_back({end < header.sh_addr ? header.sh_addr : end,
                        (header.sh_flags & SHF_EXECINSTR) != 0});
  }
  return sections;
}

std::optional<SymbolType> TypeOf(const GElf_Sym& symbol) {
  switch (GELF_ST_TYPE(symbol.st_info)) {
    case STT_FUNC:
    case STT_GNU_IFUNC:
      return SymbolType::kFunction;
    case STT_NOTYPE:
      return SymbolType::kUntyped;
    default:
      return std::nullopt;
  }
}

SymbolBinding BindingOf(const GElf_Sym& symbol) {
  switch (GELF_ST_BIND(symbol.st_info)) {
    case STB_GLOBAL:
    case STB_GNU_UNIQUE:
      return SymbolBinding::kGlobal;
    case STB_WEAK:
      return SymbolBinding::kWeak;
    default:
      return SymbolBinding::kLocal;
  }
}

// Nothing if the symbol does not name code of this file.
std::optional<Symbol> ToSymbol(Elf* elf, const GElf_Shdr& table,
                               const GElf_Sym& raw, std::uint32_t section,
                               const std::vector<Section>& sections) {
  const std::optional<SymbolType> type = TypeOf(raw);
  if (!type || section == SHN_UNDEF || section >= sections.size() ||
      !sections[section].is_code) {
    return std::nullopt;
  }
  const char* name = elf_strptr(elf, table.sh_link, raw.st_name);
  if (name == nullptr || *name == '\0') return std::nullopt;
  Symbol symbol;
  symbol.name = StripSymbolVersion(name);
  symbol.value = raw.st_value;
  symbol.size = raw.st_size;
  symbol.section_end = sections[section].end;
  symbol.type = *type;
  symbol.binding = BindingOf(raw);
  // Labels of the assembler and of the linker (".L12", "$x").
  const bool is_label =
      symbol.name.starts_with('.') || symbol.name.starts_with('$');
  if (symbol.type == SymbolType::kUntyped && is_label) return std::nullopt;
  return symbol;
}

// The section index of a symbol that has more than 16 bits of it lies in a
// table of its own.
Elf_Data* ExtendedIndexes(Elf* elf, std::size_t table_index) {
  for (Elf_Scn* scn = elf_nextscn(elf, nullptr); scn != nullptr;
       scn = elf_nextscn(elf, scn)) {
    GElf_Shdr header{};
    if (gelf_getshdr(scn, &header) != nullptr &&
        header.sh_type == SHT_SYMTAB_SHNDX && header.sh_link == table_index) {
      return elf_getdata(scn, nullptr);
    }
  }
  return nullptr;
}

void AppendTable(Elf* elf, Elf_Scn* scn, const GElf_Shdr& header,
                 const std::vector<Section>& sections,
                 std::vector<Symbol>& symbols) {
  Elf_Data* data = elf_getdata(scn, nullptr);
  const std::size_t entry = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
  if (data == nullptr || data->d_buf == nullptr || entry == 0) return;
  Elf_Data* extended = ExtendedIndexes(elf, elf_ndxscn(scn));
  const std::size_t count = data->d_size / entry;
  symbols.reserve(symbols.size() + count);
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Sym raw{};
    Elf32_Word section = 0;
    if (gelf_getsymshndx(data, extended, static_cast<int>(i), &raw, &section) ==
        nullptr) {
      break;
    }
    if (raw.st_shndx != SHN_XINDEX) section = raw.st_shndx;
    if (auto symbol = ToSymbol(elf, header, raw, section, sections)) {
      symbols.push_back(*symbol);
    }
  }
}

}  // namespace

void AppendSymbols(Elf* elf, std::vector<Symbol>& symbols) {
  const std::vector<Section> sections = ReadSectionTable(elf);
  for (Elf_Scn* scn = elf_nextscn(elf, nullptr); scn != nullptr;
       scn = elf_nextscn(elf, scn)) {
    GElf_Shdr header{};
    if (gelf_getshdr(scn, &header) == nullptr) continue;
    if (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM) continue;
    AppendTable(elf, scn, header, sections, symbols);
  }
}

}  // namespace heapledger::symbolizer
