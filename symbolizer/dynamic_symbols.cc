// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/dynamic_symbols.h"

#include <gelf.h>
#include <libelf.h>

#include <algorithm>
#include <cstddef>

namespace heapledger::symbolizer {
namespace {

constexpr std::uint64_t kPageMask = ~std::uint64_t{4095};

std::uint64_t FirstAddress(Elf* elf) {
  std::size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return 0;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr) break;
    if (header.p_type == PT_LOAD && (header.p_offset & kPageMask) == 0) {
      return header.p_vaddr & kPageMask;
    }
  }
  return 0;
}

void Search(Elf* elf, Elf_Scn* section, const GElf_Shdr& header,
            const std::vector<std::string_view>& names,
            DynamicSymbols& result) {
  Elf_Data* const data = elf_getdata(section, nullptr);
  if (data == nullptr || header.sh_entsize == 0) return;
  const std::uint64_t count = data->d_size / header.sh_entsize;
  for (std::uint64_t i = 0; i < count; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return;
    if (symbol.st_shndx == SHN_UNDEF) continue;
    const char* const name = elf_strptr(elf, header.sh_link, symbol.st_name);
    if (name == nullptr) continue;
    const auto wanted = std::ranges::find(names, std::string_view(name));
    if (wanted == names.end()) continue;
    result.values[static_cast<std::size_t>(wanted - names.begin())] =
        symbol.st_value;
  }
}

}  // namespace

DynamicSymbols FindDynamicSymbols(const ElfFile& file,
                                  const std::vector<std::string_view>& names) {
  DynamicSymbols result;
  result.values.resize(names.size());
  Elf* const elf = file.elf();
  result.first_address = FirstAddress(elf);
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf, section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) break;
    if (header.sh_type != SHT_DYNSYM) continue;
    Search(elf, section, header, names, result);
  }
  return result;
}

}  // namespace heapledger::symbolizer
