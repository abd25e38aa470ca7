// SPDX-License-Identifier: Apache-2.0
// Names of functions in DWARF. Compilers leave the linkage name out for what
// no other file can call (static functions, anonymous namespaces); then the
// name is put together from the scopes around the declaration.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace heapledger::symbolizer {

struct FunctionName {
  std::string function;  // to show; empty if DWARF has no name
  std::string linkage;   // may be empty
};

// One cache for one Dwarf and the file that it shares with others.
class FunctionNames {
 public:
  // The name of a subprogram or an inlined subroutine. `symbol` is the symbol
  // at the function's entry, empty if there is none or it was inlined; it
  // serves where there is no linkage name and the symbol is plainly the same
  // function. Valid as long as this object.
  const FunctionName& Get(const Dwarf_Die& die, std::string_view symbol);

 private:
  // What encloses a declaration: a namespace, a type or a function.
  struct Scope {
    Dwarf_Die die;
    std::int32_t parent;  // index into scopes_, -1 at the top
  };

  // `depth` counts functions around functions.
  FunctionName Compute(const Dwarf_Die& die, std::string_view symbol,
                       int depth);
  std::string ScopePrefix(Dwarf_Die die, std::string_view name, int depth);
  void ReadScopes(const Dwarf_Die& unit);

  // Keyed by where a DIE lies in memory: unique over all open files.
  std::unordered_map<const void*, FunctionName> names_;
  std::unordered_map<const void*, std::int32_t> scope_of_;
  std::unordered_set<const void*> units_read_;
  std::vector<Scope> scopes_;
};

}  // namespace heapledger::symbolizer
