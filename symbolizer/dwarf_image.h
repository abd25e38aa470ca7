// SPDX-License-Identifier: Apache-2.0
// A copy of a file's DWARF sections that libdw may be let loose on: an ELF
// image in our own memory with only the sections that lookups need,
// decompressed, each followed by zeros. libdw trusts strings to end within
// their section (seen in 0.188: .debug_line_str); in the copy they do. And
// the file may change or go away.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "symbolizer/elf_file.h"

struct Elf;

namespace heapledger::symbolizer {

class DwarfImage {
 public:
  static absl::StatusOr<DwarfImage> Copy(const ElfFile& file);

  // Valid as long as this object or one that it was moved to.
  Elf* elf() const { return elf_.get(); }

 private:
  struct ElfDeleter {
    void operator()(Elf* elf) const;
  };

  DwarfImage(std::vector<char> bytes, std::unique_ptr<Elf, ElfDeleter> elf);

  std::vector<char> bytes_;
  std::unique_ptr<Elf, ElfDeleter> elf_;  // reads bytes_
};

}  // namespace heapledger::symbolizer
