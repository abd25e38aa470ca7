// SPDX-License-Identifier: Apache-2.0
// .gnu_debugdata: the symbol table of a stripped program's own functions, as an
// ELF file compressed with xz inside it (Fedora and kin ship these).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/symbol_table.h"

struct Elf;

namespace heapledger::symbolizer {

class MiniDebugInfo {
 public:
  // REQUIRES: file.has_mini_debug_info().
  static absl::StatusOr<MiniDebugInfo> Read(const ElfFile& file);

  // Adds its symbols. Their names are views into this object, or into one that
  // it was moved to.
  void AppendTo(std::vector<Symbol>& symbols) const;

 private:
  struct ElfDeleter {
    void operator()(Elf* elf) const;
  };

  MiniDebugInfo(std::unique_ptr<std::string> bytes,
                std::unique_ptr<Elf, ElfDeleter> elf);

  std::unique_ptr<std::string> bytes_;
  std::unique_ptr<Elf, ElfDeleter> elf_;  // reads bytes_
};

}  // namespace heapledger::symbolizer
