// SPDX-License-Identifier: Apache-2.0
// One module with all that could be found about it: its own file if that is
// the one the target has loaded, its separate debug file, their symbols.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "symbolizer/debug_info.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/frame.h"
#include "symbolizer/symbol_table.h"
#include "symbolizer/symbolizer.h"

namespace heapledger::symbolizer {

class Module {
 public:
  // Opens what there is; that it may be nothing is no failure.
  Module(const ModuleRef& ref, const Options& options);
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // The frames at `address` (an ELF vaddr), without module and rel_pc. None
  // if the module has no name for it.
  std::vector<Frame> Resolve(std::uint64_t address);

  Reason reason() const { return reason_; }
  const std::string& detail() const { return detail_; }
  // The file that debug information came from; empty if none.
  const std::string& debug_file() const { return debug_file_path_; }

 private:
  void OpenOwnFile(const ModuleRef& ref, const Options& options);
  void OpenDebugFile(const ModuleRef& ref, const DebugFileFinder& finder);
  void OpenDebugInfo(const DebugFileFinder& finder);
  void ReadSymbols();
  void Degrade(Reason reason, std::string detail);

  std::optional<ElfFile> file_;        // the module itself
  std::optional<ElfFile> debug_file_;  // separate debug information
  SymbolTable symbols_;                // views into the two files
  std::unique_ptr<DebugInfo> debug_info_;
  std::string debug_file_path_;
  Reason reason_ = Reason::kNone;
  std::string detail_;
};

}  // namespace heapledger::symbolizer
