// SPDX-License-Identifier: Apache-2.0
// What tells a code object from another one that later lies at its address:
// what it refers to, its numbers, and, where the version gives code objects no
// number of their own, a few words of its line table.
#pragma once

#include <bit>
#include <cstdint>

#include "preload/runtime/cpython_layout.h"
#include "preload/unwind/stack_hash.h"

namespace heapledger::preload {

struct CodeIdentity {
  std::uint64_t name;
  std::uint64_t filename;
  std::uint64_t line_table;
  // The version's number for it, else words of the line table.
  std::uint64_t content;
  std::uint32_t first_line;

  // Without branches: mostly all is the same.
  friend constexpr bool operator==(const CodeIdentity& a,
                                   const CodeIdentity& b) {
    return ((a.name ^ b.name) | (a.filename ^ b.filename) |
            (a.line_table ^ b.line_table) | (a.content ^ b.content) |
            (a.first_line ^ b.first_line)) == 0;
  }
};

// REQUIRES: `code` is a live code object.
template <typename Memory>
[[gnu::always_inline]] inline CodeIdentity IdentifyCode(
    const CpythonLayout& layout, const Memory& memory, std::uint64_t code) {
  const auto number = [&](std::uint32_t offset) {
    return static_cast<std::uint32_t>(memory.Word(code + offset / 8 * 8) >>
                                      (offset % 8 * 8));
  };
  CodeIdentity who;
  who.name = memory.Word(code + layout.code.name);
  who.filename = memory.Word(code + layout.code.filename);
  who.line_table = memory.Word(code + layout.code.line_table);
  who.first_line = number(layout.code.first_line);
  if (layout.code.version != 0) {
    who.content = number(layout.code.version);
    return who;
  }
  // bytes end in a zero that is part of them, and blocks in multiples of 8: a
  // word at the start is there, whatever the size.
  const std::uint64_t size = memory.Word(who.line_table + kPySizeOffset);
  const std::uint64_t data = who.line_table + kPyBytesOffset;
  who.content = memory.Word(data) ^ size << 56;
  if (size >= 16) {
    who.content ^= std::rotl(memory.Word(data + size / 16 * 8), 23) ^
                   std::rotl(memory.Word(data + size / 8 * 8 - 8), 47);
  }
  return who;
}

// One value for a code object and its identity: a hash, compared in full.
inline std::uint64_t KeyOfCode(std::uint64_t code, const CodeIdentity& who) {
  std::uint64_t key = Mix(code, who.name);
  key = Mix(key, who.filename);
  key = Mix(key, who.line_table);
  key = Mix(key, who.first_line);
  return Mix(key, who.content) | 1;
}

}  // namespace heapledger::preload
