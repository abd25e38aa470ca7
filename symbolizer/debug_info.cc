// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/debug_info.h"

#include <dwarf.h>
#include <elfutils/libdwelf.h>

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "symbolizer/debug_paths.h"
#include "symbolizer/die_tree.h"

namespace heapledger::symbolizer {
namespace {

// Many damaged DIEs may share one long range list. A unit of a whole program
// (LTO) has some hundred thousand ranges.
constexpr std::size_t kMaxRanges = std::size_t{1} << 22;

// Above every depth of a tree of DIEs.
constexpr std::uint64_t kInnermost = 1 << 20;

// A range of an entry in some list.
struct OwnedRange {
  std::uint32_t owner;  // index into the list
  std::uint64_t rank;   // the lower, the better
};

bool operator==(const OwnedRange& a, const OwnedRange& b) {
  return a.owner == b.owner;
}

using OwnedRanges = std::vector<RangeIndex<OwnedRange>::Range>;

// Calls `use(low, high)` for each range of code that `die` covers. Ranges at
// 0 belong to code that the linker has thrown away.
template <typename Use>
void ForEachRange(Dwarf_Die die, Use&& use) {
  Dwarf_Addr base = 0;
  Dwarf_Addr low = 0;
  Dwarf_Addr high = 0;
  ptrdiff_t at = 0;
  while ((at = dwarf_ranges(&die, at, &base, &low, &high)) > 0) {
    if (low != 0 && low < high && !use(low, high)) return;
  }
}

// Of units and functions that contradict each other the tightest is the best
// guess.
void AppendByTightness(const Dwarf_Die& die, std::uint32_t owner,
                       OwnedRanges& ranges) {
  ForEachRange(die, [&](std::uint64_t low, std::uint64_t high) {
    ranges.push_back({low, high, {owner, high - low}});
    return ranges.size() < kMaxRanges;
  });
}

// Of inlined subroutines the innermost covers an address, be its range longer
// than one of the several that the subroutine around it is cut into.
void AppendByDepth(const Dwarf_Die& die, std::uint32_t owner, int depth,
                   OwnedRanges& ranges) {
  const std::uint64_t rank = kInnermost - static_cast<std::uint64_t>(depth);
  ForEachRange(die, [&](std::uint64_t low, std::uint64_t high) {
    ranges.push_back({low, high, {owner, rank}});
    return ranges.size() < kMaxRanges;
  });
}

// Of equals the one that comes later in the file, and so lies inside.
RangeIndex<std::uint32_t> BuildIndex(OwnedRanges ranges) {
  auto index = RangeIndex<OwnedRange>::Build(
      std::move(ranges), [](const auto& a, const auto& b) {
        if (a.value.rank != b.value.rank) return a.value.rank < b.value.rank;
        return a.value.owner > b.value.owner;
      });
  std::vector<RangeIndex<std::uint32_t>::Range> pieces;
  pieces.reserve(index.pieces().size());
  for (const auto& piece : index.pieces()) {
    pieces.push_back({piece.low, piece.high, piece.value.owner});
  }
  return RangeIndex<std::uint32_t>::Build(
      std::move(pieces), [](const auto&, const auto&) { return false; });
}

std::uint32_t Number(Dwarf_Die die, unsigned int attribute) {
  Dwarf_Attribute value;
  Dwarf_Word number = 0;
  if (dwarf_attr(&die, attribute, &value) == nullptr ||
      dwarf_formudata(&value, &number) != 0 || number > 0xffffffff) {
    return 0;
  }
  return static_cast<std::uint32_t>(number);
}

// A path that is relative in the line table is so to where the compiler ran.
std::string SourcePath(Dwarf_Die unit, const char* path) {
  if (path == nullptr || *path == '\0') return "";
  if (*path == '/') return path;
  Dwarf_Attribute value;
  const char* directory = nullptr;
  if (dwarf_attr(&unit, DW_AT_comp_dir, &value) != nullptr) {
    directory = dwarf_formstring(&value);
  }
  if (directory == nullptr || *directory == '\0') return path;
  return std::string(directory) + "/" + path;
}

// Sets where the call of an inlined subroutine stands.
void SetCallSite(const Dwarf_Die& inlined, Dwarf_Die unit, Frame& frame) {
  frame.line = Number(inlined, DW_AT_call_line);
  frame.column = Number(inlined, DW_AT_call_column);
  Dwarf_Files* files = nullptr;
  std::size_t count = 0;
  const std::uint32_t file = Number(inlined, DW_AT_call_file);
  if (dwarf_getsrcfiles(&unit, &files, &count) != 0 || file >= count) return;
  frame.file = SourcePath(unit, dwarf_filesrc(files, file, nullptr, nullptr));
}

// Sets where the code at `address` is from. Returns whether anything is known.
bool SetSourceLine(Dwarf_Die unit, std::uint64_t address, Frame& frame) {
  Dwarf_Line* line = dwarf_getsrc_die(&unit, address);
  if (line == nullptr) return false;
  int number = 0;
  if (dwarf_lineno(line, &number) == 0 && number > 0) {
    frame.line = static_cast<std::uint32_t>(number);
  }
  if (dwarf_linecol(line, &number) == 0 && number > 0) {
    frame.column = static_cast<std::uint32_t>(number);
  }
  frame.file = SourcePath(unit, dwarf_linesrc(line, nullptr, nullptr));
  return !frame.file.empty() || frame.line != 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DebugInfo>> DebugInfo::Open(
    const ElfFile& file, const DebugFileFinder& finder,
    std::string_view module_path) {
  absl::StatusOr<DwarfImage> image = DwarfImage::Copy(file);
  if (!image.ok()) return image.status();
  std::unique_ptr<DebugInfo> info(new DebugInfo(
      *std::move(image), SplitUnits(file, std::string(module_path))));
  info->dwarf_.reset(
      dwarf_begin_elf(info->image_.elf(), DWARF_C_READ, nullptr));
  if (info->dwarf_ == nullptr) {
    return absl::DataLossError("read DWARF of " + file.path() + ": " +
                               dwarf_errmsg(-1));
  }
  info->ResolveAltLink(file, finder);
  return info;
}

void DebugInfo::ResolveAltLink(const ElfFile& file,
                               const DebugFileFinder& finder) {
  const char* link = nullptr;
  const void* id = nullptr;
  const ssize_t id_size =
      dwelf_dwarf_gnu_debugaltlink(dwarf_.get(), &link, &id);
  if (id_size <= 0) return;
  const std::optional<ElfFile> alt_file = finder.ByAltLink(
      file, link, ToHex(id, static_cast<std::size_t>(id_size)));
  if (alt_file) {
    absl::StatusOr<DwarfImage> image = DwarfImage::Copy(*alt_file);
    if (image.ok()) {
      alt_image_ = *std::move(image);
      alt_.reset(dwarf_begin_elf(alt_image_->elf(), DWARF_C_READ, nullptr));
    }
  }
  // Without one libdw would open whatever the link names, be it a pipe. The
  // value -1 is what dwarf_getalt() itself keeps for "there is none"
  // (libdw/dwarf_getalt.c, elfutils 0.188).
  Dwarf* none = reinterpret_cast<Dwarf*>(-1);  // NOLINT
  dwarf_setalt(dwarf_.get(), alt_ ? alt_.get() : none);
}

void DebugInfo::ReadUnits() {
  units_read_ = true;
  OwnedRanges ranges;
  Dwarf_CU* unit = nullptr;
  std::uint8_t type = 0;
  Dwarf_Die die{};
  // No split units are asked for: libdw would look for .dwo files.
  while (dwarf_get_units(dwarf_.get(), unit, &unit, nullptr, &type, &die,
                         nullptr) == 0) {
    // A skeleton of DWARF 4 that has inlined functions looks like a split unit.
    if (type != DW_UT_compile && type != DW_UT_skeleton &&
        type != DW_UT_split_compile) {
      continue;
    }
    const auto index = static_cast<std::uint32_t>(units_.size());
    unit_of_die_.emplace(die.addr, index);
    units_.emplace_back(die);
    if (type != DW_UT_compile) {
      std::uint64_t id = 0;
      dwarf_cu_info(die.cu, nullptr, nullptr, nullptr, nullptr, &id, nullptr,
                    nullptr);
      units_.back().split = split_units_.Add(die, id);
    }
    AppendByTightness(die, index, ranges);
  }
  unit_at_ = BuildIndex(std::move(ranges));
}

DebugInfo::Unit* DebugInfo::FindUnit(std::uint64_t address) {
  if (!units_read_) ReadUnits();
  if (const std::uint32_t* index = unit_at_.Find(address)) {
    return &units_[*index];
  }
  // Some units state their ranges in .debug_aranges alone.
  Dwarf_Die die;
  if (dwarf_addrdie(dwarf_.get(), address, &die) == nullptr) return nullptr;
  const auto known = unit_of_die_.find(die.addr);
  return known == unit_of_die_.end() ? nullptr : &units_[known->second];
}

void DebugInfo::ReadFunctions(Unit& unit) {
  unit.functions_read = true;
  Dwarf_Die root = unit.die;
  if (unit.split) {
    root = split_units_.Open(*unit.split, image_).value_or(unit.die);
  }
  OwnedRanges ranges;
  DieTree::Walk(root, [&](Dwarf_Die& die, int) {
    switch (dwarf_tag(&die)) {
      case DW_TAG_subprogram:
      case DW_TAG_entry_point: {
        const std::size_t before = ranges.size();
        const auto index = static_cast<std::uint32_t>(unit.functions.size());
        AppendByTightness(die, index, ranges);
        if (ranges.size() == before) return true;
        unit.functions.emplace_back();
        unit.functions.back().die = die;
        return true;  // functions nest in Ada, D, Fortran and GNU C
      }
      case DW_TAG_namespace:
      case DW_TAG_module:
      case DW_TAG_class_type:
      case DW_TAG_structure_type:
      case DW_TAG_union_type:
      case DW_TAG_interface_type:
      case DW_TAG_enumeration_type:
      case DW_TAG_lexical_block:
        return true;
      default:
        return false;
    }
  });
  unit.function_at = BuildIndex(std::move(ranges));
}

DebugInfo::Function* DebugInfo::FindFunction(Unit& unit,
                                             std::uint64_t address) {
  if (!unit.functions_read) ReadFunctions(unit);
  const std::uint32_t* index = unit.function_at.Find(address);
  if (index == nullptr) return nullptr;
  Function& function = unit.functions[*index];
  if (!function.inlined_read) ReadInlined(function);
  return &function;
}

void DebugInfo::ReadInlined(Function& function) {
  function.inlined_read = true;
  OwnedRanges ranges;
  // The inlined subroutine that holds the DIEs of each depth.
  std::vector<std::int32_t> enclosing = {-1};
  DieTree::Walk(function.die, [&](Dwarf_Die& die, int depth) {
    enclosing.resize(static_cast<std::size_t>(depth) + 1);
    const std::int32_t parent = enclosing.back();
    switch (dwarf_tag(&die)) {
      case DW_TAG_inlined_subroutine: {
        const std::size_t index = function.inlined.size();
        AppendByDepth(die, static_cast<std::uint32_t>(index), depth, ranges);
        function.inlined.push_back({die, parent});
        enclosing.push_back(static_cast<std::int32_t>(index));
        return true;
      }
      case DW_TAG_lexical_block:
      case DW_TAG_try_block:
      case DW_TAG_catch_block:
      case DW_TAG_with_stmt:
        enclosing.push_back(parent);
        return true;
      default:
        return false;
    }
  });
  function.inlined_at = BuildIndex(std::move(ranges));
}

std::string_view DebugInfo::SymbolAtEntry(const Function& function,
                                          const SymbolTable& symbols) const {
  Dwarf_Die die = function.die;
  Dwarf_Addr entry = 0;
  if (dwarf_entrypc(&die, &entry) != 0) return {};
  const Symbol* symbol = symbols.Find(entry);
  return symbol != nullptr && symbol->value == entry ? symbol->name
                                                     : std::string_view();
}

void DebugInfo::SetName(const Dwarf_Die& die, std::string_view symbol,
                        Frame& frame) {
  const FunctionName& name = names_.Get(die, symbol);
  frame.function = name.function;
  frame.linkage_name = name.linkage;
  frame.quality = Quality::kDebugInfo;
}

std::vector<Frame> DebugInfo::Resolve(std::uint64_t address,
                                      const SymbolTable& symbols) {
  Unit* unit = FindUnit(address);
  if (unit == nullptr) return {};
  Frame frame;
  const bool has_line = SetSourceLine(unit->die, address, frame);
  Function* function = FindFunction(*unit, address);
  if (function == nullptr) {
    return has_line ? std::vector<Frame>{frame} : std::vector<Frame>();
  }
  std::vector<Frame> frames;
  const std::uint32_t* innermost = function->inlined_at.Find(address);
  std::int32_t at =
      innermost == nullptr ? -1 : static_cast<std::int32_t>(*innermost);
  for (; at >= 0; at = function->inlined[at].parent) {
    const Dwarf_Die& die = function->inlined[at].die;
    SetName(die, {}, frame);
    frame.inlined = true;
    frames.push_back(std::exchange(frame, {}));
    SetCallSite(die, unit->die, frame);
  }
  SetName(function->die, SymbolAtEntry(*function, symbols), frame);
  frames.push_back(std::move(frame));
  return frames;
}

}  // namespace heapledger::symbolizer
