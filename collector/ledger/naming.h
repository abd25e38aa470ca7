// SPDX-License-Identifier: Apache-2.0
// From a stack of pcs to the name that a person looks for: the innermost
// function that is the program's own doing, not the allocator's plumbing.
//
// Symbols come from outside (profile/resolver.h) through FrameNames, so that
// this layer and the exporter know nothing of ELF.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collector/shm/snapshot.h"

namespace heapledger::collector {

// One function of a stack. Inlined functions have their own.
struct ResolvedFrame {
  std::string function;      // demangled; empty where no symbol covers the pc
  std::string linkage_name;  // as the symbol table has it; may be empty
  std::string module;        // last part of the path; "[jit]" outside modules
  std::string build_id;      // raw bytes
  std::string file;          // empty where unknown
  std::uint32_t line = 0;    // 0 where unknown
  std::uint64_t rel_pc = 0;  // pc - load bias
  bool inlined = false;      // into the next, outer one of the same pc
  bool python = false;       // a place in Python code
};

// The functions at one pc, innermost first; the last is the physical one.
// Never empty.
using ResolvedPc = std::vector<ResolvedFrame>;

// Gives the names of frames and remembers them.
//
// Thread safety: as the implementation says; profile/resolver.h locks.
class FrameNames {
 public:
  virtual ~FrameNames() = default;
  // The reference holds for the life of this object.
  virtual const ResolvedPc& Resolve(const LedgerSnapshot& snapshot,
                                    std::uint32_t frame_index) = 0;
};

// How a callsite is shown.
struct CallsiteName {
  std::string function;
  std::string module;
  std::string file;
  std::uint32_t line = 0;

  // "file:line", or the module where the line is unknown.
  [[nodiscard]] std::string Location() const;
};

// Last part of a path.
[[nodiscard]] std::string_view BaseName(std::string_view path);

// Whether `frame` hands memory on to a caller that asked for it: malloc and
// kin, operator new, allocators of the C++ library, strdup and kin of libc.
[[nodiscard]] bool IsAllocatorPlumbing(const ResolvedFrame& frame);

// Whether `frame` only does what the Python code further out asked for: the
// interpreter itself, and what calls C functions on its behalf.
[[nodiscard]] bool IsInterpreterPlumbing(const ResolvedFrame& frame);

// The frame that a callsite is named after: the innermost that is no plumbing.
struct NamingFrame {
  std::uint32_t frame = 0;  // index into SnapshotTables::frames
  const ResolvedFrame* function = nullptr;
  bool is_plumbing = false;  // all are: the outermost of them
};
// `function` is null where the callsite has no stack.
[[nodiscard]] NamingFrame FindNamingFrame(const LedgerSnapshot& snapshot,
                                          const CallsiteInfo& callsite,
                                          FrameNames& names);

// The name of a callsite with this stack, innermost first. Where all frames are
// plumbing, the outermost of them.
[[nodiscard]] CallsiteName NameCallsite(const LedgerSnapshot& snapshot,
                                        const CallsiteInfo& callsite,
                                        FrameNames& names);

}  // namespace heapledger::collector
