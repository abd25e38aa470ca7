// SPDX-License-Identifier: Apache-2.0
// What goes into the symbolizer and what comes out: plain values. A pc is an
// address in the target; everything needed to name it travels in ModuleRef, so
// that a dead process or a snapshot from another machine resolves like a live
// one.
#pragma once

#include <cstdint>
#include <string>

namespace heapledger::symbolizer {

// A module as the target recorded it.
struct ModuleRef {
  // As in /proc/PID/maps; may end in " (deleted)".
  std::string path = {};
  // Lower-case hex; empty if the module has none. With a build id, a file
  // whose own differs is never used.
  std::string build_id = {};
  // Runtime address - ELF vaddr: 0 for a non-PIE executable.
  std::uint64_t load_bias = 0;
  // Runtime range [start, end); 0, 0 if not known.
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  // Of the file; 0 if not known. Tells files without build id apart.
  std::uint64_t inode = 0;
  // A live process that has it mapped, as /proc here counts; 0 if there is
  // none. Its own view of the file system comes first then.
  std::int64_t live_pid = 0;

  bool operator==(const ModuleRef&) const = default;
};

// A return address lies behind the call that it belongs to, perhaps in the
// next line or function: it is looked up at pc - 1.
enum class PcKind : std::uint8_t { kReturnAddress, kExact };

struct Pc {
  std::uint64_t address = 0;
  PcKind kind = PcKind::kReturnAddress;
};

// Where a frame's name is from, best first.
enum class Quality : std::uint8_t {
  kDebugInfo,    // DWARF: function, file, line, inlined frames
  kSymbolTable,  // .symtab or .dynsym: function only
  kJit,          // what a JIT compiler wrote about its own code
  kModuleOnly,   // "libfoo.so+0x1234"
  kUnknown,      // in no module: "0x7f0000001234"
};
inline constexpr int kQualityCount = 5;

// One function at one pc. An address in inlined code yields several.
struct Frame {
  std::string function;      // for people, demangled; never empty
  std::string linkage_name;  // as in the file; may be empty
  std::string file;          // empty if not known
  std::uint32_t line = 0;    // 0 if not known
  std::uint32_t column = 0;  // 0 if not known
  bool inlined = false;      // inlined into the frame that follows
  std::string module;        // path without " (deleted)"; empty if none
  std::uint64_t rel_pc = 0;  // pc - load_bias, not stepped back by one
  Quality quality = Quality::kUnknown;

  bool operator==(const Frame&) const = default;
};

}  // namespace heapledger::symbolizer
