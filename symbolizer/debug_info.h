// SPDX-License-Identifier: Apache-2.0
// DWARF of one file: address -> function, inlined functions, file and line.
//
// What a lookup needs is built on demand and kept: the units' ranges at the
// first lookup in the file, the functions of a unit at the first in the unit,
// the inlined subroutines of a function at the first in the function. So a
// program of a thousand units of which ten allocate pays for ten.
#pragma once

#include <elfutils/libdw.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "symbolizer/debug_file_finder.h"
#include "symbolizer/dwarf_image.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/frame.h"
#include "symbolizer/function_names.h"
#include "symbolizer/range_index.h"
#include "symbolizer/split_units.h"
#include "symbolizer/symbol_table.h"

namespace heapledger::symbolizer {

class DebugInfo {
 public:
  // `finder` is asked for the file that `file` shares parts with, if there is
  // one. Neither is needed any more when this returns.
  // `module_path`: of the module whose debug file `file` is; empty if it is the
  // module itself.
  static absl::StatusOr<std::unique_ptr<DebugInfo>> Open(
      const ElfFile& file, const DebugFileFinder& finder,
      std::string_view module_path);

  // Returns the frames at `address` (an ELF vaddr), innermost first, with
  // function, linkage_name, file, line, column and inlined set; function is
  // empty where DWARF has no name. No frames if no unit covers the address,
  // one nameless frame if only a line is known. `symbols` helps to name
  // functions without a linkage name.
  std::vector<Frame> Resolve(std::uint64_t address, const SymbolTable& symbols);

 private:
  struct DwarfDeleter {
    void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
  };
  using DwarfHandle = std::unique_ptr<Dwarf, DwarfDeleter>;

  // A subroutine inlined into a function or into another one.
  struct Inlined {
    Dwarf_Die die;
    std::int32_t parent;  // index of the one around it, -1: the function
  };

  struct Function {
    Dwarf_Die die;
    bool inlined_read = false;
    std::vector<Inlined> inlined;  // parents before children
    RangeIndex<std::uint32_t> inlined_at;
  };

  struct Unit {
    explicit Unit(const Dwarf_Die& unit_die) : die(unit_die) {}
    Dwarf_Die die;
    std::optional<std::size_t> split;  // its number, if it is a skeleton
    bool functions_read = false;
    std::vector<Function> functions;
    RangeIndex<std::uint32_t> function_at;
  };

  DebugInfo(DwarfImage image, SplitUnits split_units)
      : image_(std::move(image)), split_units_(std::move(split_units)) {}

  void ResolveAltLink(const ElfFile& file, const DebugFileFinder& finder);
  void ReadUnits();
  Unit* FindUnit(std::uint64_t address);
  void ReadFunctions(Unit& unit);
  Function* FindFunction(Unit& unit, std::uint64_t address);
  static void ReadInlined(Function& function);
  std::string_view SymbolAtEntry(const Function& function,
                                 const SymbolTable& symbols) const;
  void SetName(const Dwarf_Die& die, std::string_view symbol, Frame& frame);

  // The order matters: dwarf_ refers to alt_, and each to its image.
  std::optional<DwarfImage> alt_image_;
  DwarfHandle alt_;
  DwarfImage image_;
  DwarfHandle dwarf_;
  SplitUnits split_units_;
  bool units_read_ = false;
  std::vector<Unit> units_;
  std::unordered_map<const void*, std::size_t> unit_of_die_;
  RangeIndex<std::uint32_t> unit_at_;
  FunctionNames names_;
};

}  // namespace heapledger::symbolizer
