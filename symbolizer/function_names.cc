// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/function_names.h"

#include <dwarf.h>

#include <optional>

#include "symbolizer/demangle.h"
#include "symbolizer/die_tree.h"

namespace heapledger::symbolizer {
namespace {

// An inlined subroutine, its abstract instance, the declaration: three in
// practice. Damaged references may go round in circles.
constexpr int kMaxOrigins = 16;

// A lambda in a member function of a local class in a function: rarely more
// than two. Damaged references may go round in circles here too.
constexpr int kMaxEnclosingFunctions = 8;

std::string StringAttribute(Dwarf_Die die, unsigned int attribute) {
  Dwarf_Attribute value;
  if (dwarf_attr(&die, attribute, &value) == nullptr) return "";
  const char* text = dwarf_formstring(&value);
  return text == nullptr ? "" : text;
}

std::string LinkageName(const Dwarf_Die& die) {
  std::string name = StringAttribute(die, DW_AT_linkage_name);
  return name.empty() ? StringAttribute(die, DW_AT_MIPS_linkage_name) : name;
}

// A name that no demangler understands, or none within its bounds: the scopes
// read better.
bool IsUndecodable(std::string_view linkage, std::string_view demangled) {
  return linkage.size() > 2 && demangled == StripCloneSuffix(linkage) &&
         (linkage.starts_with("_Z") || linkage.starts_with("_R") ||
          linkage.starts_with("_D"));
}

// The DIE that `die` refers to for what it does not say itself.
std::optional<Dwarf_Die> OriginOf(Dwarf_Die die) {
  for (unsigned int attribute : {DW_AT_abstract_origin, DW_AT_specification}) {
    Dwarf_Attribute reference;
    Dwarf_Die origin;
    if (dwarf_attr(&die, attribute, &reference) != nullptr &&
        dwarf_formref_die(&reference, &origin) != nullptr) {
      return origin;
    }
  }
  return std::nullopt;
}

bool IsScope(int tag) {
  switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_interface_type:
    case DW_TAG_enumeration_type:
    case DW_TAG_subprogram:
      return true;
    default:
      return false;
  }
}

int TagOf(Dwarf_Die die) { return dwarf_tag(&die); }

// What stands before "::" for a namespace or type around `member`.
std::string ScopeName(const Dwarf_Die& scope, std::string_view member) {
  std::string name = StringAttribute(scope, DW_AT_name);
  if (!name.empty()) return name;
  if (TagOf(scope) == DW_TAG_namespace) return "(anonymous namespace)";
  return member == "operator()" ? "{lambda}" : "{unnamed type}";
}

// Whether `symbol`, which begins where the function does, is the function's
// and not that of another with the same code. Template arguments are written
// differently in DWARF and in a demangled name, and operators only in part.
bool IsSymbolOf(std::string_view symbol, std::string_view name) {
  if (!symbol.starts_with("_Z")) return StripCloneSuffix(symbol) == name;
  std::string_view stem = name.substr(0, name.find('<'));
  if (stem.starts_with("operator")) stem = "operator";
  return Demangle(symbol).find(stem) != std::string::npos;
}

}  // namespace

const FunctionName& FunctionNames::Get(const Dwarf_Die& die,
                                       std::string_view symbol) {
  // Every place where a function is inlined has a DIE of its own; they share
  // the name of the one they come from.
  Dwarf_Die key = die;
  if (symbol.empty()) key = OriginOf(die).value_or(die);
  const auto known = names_.find(key.addr);
  if (known != names_.end()) return known->second;
  return names_.emplace(key.addr, Compute(die, symbol, 0)).first->second;
}

FunctionName FunctionNames::Compute(const Dwarf_Die& die,
                                    std::string_view symbol, int depth) {
  std::string name;
  std::string linkage;
  std::string demangled;
  std::optional<Dwarf_Die> at = die;
  Dwarf_Die declaration = die;
  for (int i = 0; at && i < kMaxOrigins; ++i) {
    if (linkage.empty()) linkage = LinkageName(*at);
    if (!linkage.empty() && demangled.empty()) {
      demangled = Demangle(linkage);
      if (!IsUndecodable(linkage, demangled)) {
        return {std::move(demangled), std::move(linkage)};
      }
    }
    if (name.empty()) name = StringAttribute(*at, DW_AT_name);
    declaration = *at;
    at = OriginOf(*at);
  }
  if (name.empty()) return {linkage, linkage};
  if (linkage.empty() && IsSymbolOf(symbol, name)) {
    return {Demangle(symbol), std::string(symbol)};
  }
  const std::string prefix = ScopePrefix(declaration, name, depth);
  // Without a scope the name may be the linkage name itself, as in C.
  if (linkage.empty() && prefix.empty()) linkage = name;
  return {prefix + name, linkage};
}

std::string FunctionNames::ScopePrefix(Dwarf_Die die, std::string_view name,
                                       int depth) {
  Dwarf_Die unit;
  if (dwarf_diecu(&die, &unit, nullptr, nullptr) == nullptr) return "";
  if (units_read_.insert(unit.addr).second) ReadScopes(unit);
  const auto found = scope_of_.find(die.addr);
  std::string prefix;
  if (found == scope_of_.end()) return prefix;
  for (std::int32_t i = found->second; i >= 0;) {
    const Scope scope = scopes_[static_cast<std::size_t>(i)];
    if (TagOf(scope.die) == DW_TAG_subprogram) {
      // It brings its own scopes along.
      if (depth >= kMaxEnclosingFunctions) return prefix;
      const std::string outer = Compute(scope.die, {}, depth + 1).function;
      return outer.empty() ? prefix : outer + "::" + prefix;
    }
    prefix.insert(0, ScopeName(scope.die, name) + "::");
    name = {};
    i = scope.parent;
  }
  return prefix;
}

void FunctionNames::ReadScopes(const Dwarf_Die& unit) {
  // The scope that holds the DIEs of each depth.
  std::vector<std::int32_t> enclosing = {-1};
  DieTree::Walk(unit, [&](Dwarf_Die& die, int depth) {
    enclosing.resize(static_cast<std::size_t>(depth) + 1);
    const std::int32_t parent = enclosing.back();
    const int tag = dwarf_tag(&die);
    if (tag == DW_TAG_subprogram && parent >= 0) scope_of_[die.addr] = parent;
    if (!dwarf_haschildren(&die)) return false;
    if (IsScope(tag)) {
      enclosing.push_back(static_cast<std::int32_t>(scopes_.size()));
      scopes_.push_back({die, parent});
      return true;
    }
    // A local class may lie in a block.
    enclosing.push_back(parent);
    return tag == DW_TAG_lexical_block;
  });
}

}  // namespace heapledger::symbolizer
