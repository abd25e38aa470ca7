// SPDX-License-Identifier: Apache-2.0
// One module with all that could be found about it: its own file if that is
// the one the target has loaded, its separate debug file, their symbols.
//
// Finding files is cheap and done at once; reading them takes seconds for large
// ones and waits for the first Resolve(), which may never come if the names are
// known from an earlier run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "symbolizer/debug_info.h"
#include "symbolizer/debuginfod.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/frame.h"
#include "symbolizer/mini_debug_info.h"
#include "symbolizer/symbol_table.h"
#include "symbolizer/symbolizer.h"

namespace heapledger::symbolizer {

class Module {
 public:
  // Opens what there is; that it may be nothing is no failure. `debuginfod` is
  // asked for a debug file that is missing here; nullptr: nobody is.
  Module(const ModuleRef& ref, const Options& options, Debuginfod* debuginfod);
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // The frames at `address` (an ELF vaddr), without module and rel_pc. None
  // if the module has no name for it.
  std::vector<Frame> Resolve(std::uint64_t address);

  // Names of two modules with the same identity are the same. Empty if names
  // are not worth keeping: nothing was found, or not all that was looked for.
  std::string identity() const;

  Reason reason() const { return reason_; }
  const std::string& detail() const { return detail_; }
  // The file that debug information came from; empty if none.
  const std::string& debug_file() const { return debug_file_path_; }

 private:
  void OpenOwnFile(const ModuleRef& ref, const Options& options);
  void OpenDebugFile(const ModuleRef& ref);
  const ElfFile* DebugSource() const;
  void Read();
  void AskDebuginfod();
  void ReadDebugInfo();
  void ReadSymbols();
  void Degrade(Reason reason, std::string detail);

  DebugFileFinder finder_;
  Debuginfod* debuginfod_;
  std::string build_id_;
  std::optional<ElfFile> file_;        // the module itself
  std::optional<ElfFile> debug_file_;  // separate debug information
  std::optional<MiniDebugInfo> mini_debug_info_;
  SymbolTable symbols_;  // views into the three above
  std::unique_ptr<DebugInfo> debug_info_;
  std::string debug_file_path_;
  Reason reason_ = Reason::kNone;
  std::string detail_;
  bool read_ = false;
  bool incomplete_ = false;  // something was there and could not be read
};

}  // namespace heapledger::symbolizer
