// SPDX-License-Identifier: Apache-2.0
// What tells a code object from another one that later lies at its address:
// what it refers to, its numbers, and, where the version gives code objects no
// number of their own, a few words of its line table.
#pragma once

#include <cstdint>

#include "preload/runtime/cpython_layout.h"
#include "preload/unwind/stack_hash.h"

namespace heapledger::preload {

struct CodeIdentity {
  std::uint64_t name;
  std::uint64_t filename;
  std::uint64_t line_table;
  std::uint64_t numbers;  // first line, and the version's number of it
  std::uint64_t content;  // of the line table, without such a number

  friend bool operator==(const CodeIdentity&, const CodeIdentity&) = default;

  [[nodiscard]] std::uint32_t first_line() const {
    return static_cast<std::uint32_t>(numbers);
  }
};

// REQUIRES: `code` is a live code object.
template <typename Memory>
inline CodeIdentity IdentifyCode(const CpythonLayout& layout,
                                 const Memory& memory, std::uint64_t code) {
  CodeIdentity who;
  who.name = memory.Word(code + layout.code.name);
  who.filename = memory.Word(code + layout.code.filename);
  who.line_table = memory.Word(code + layout.code.line_table);
  who.content = 0;
  const auto number = [&](std::uint32_t offset) {
    return memory.Word(code + offset / 8 * 8) >> (offset % 8 * 8) & 0xffffffffU;
  };
  who.numbers = number(layout.code.first_line);
  if (layout.code.version != 0) {
    who.numbers |= number(layout.code.version) << 32;
    return who;
  }
  // bytes end in a zero that is part of them, and blocks in multiples of 8: a
  // word at the start is there, whatever the size.
  const std::uint64_t size = memory.Word(who.line_table + kPySizeOffset);
  const std::uint64_t data = who.line_table + kPyBytesOffset;
  std::uint64_t content = Mix(memory.Word(data), size);
  if (size >= 16) {
    content = Mix(content, memory.Word(data + size / 2 / 8 * 8)) +
              memory.Word(data + size / 8 * 8 - 8);
  }
  who.content = content;
  return who;
}

// One value for a code object and its identity: a hash, compared in full.
inline std::uint64_t KeyOfCode(std::uint64_t code, const CodeIdentity& who) {
  std::uint64_t key = Mix(code, who.name);
  key = Mix(key, who.filename);
  key = Mix(key, who.line_table);
  key = Mix(key, who.numbers);
  return Mix(key, who.content) | 1;
}

}  // namespace heapledger::preload
