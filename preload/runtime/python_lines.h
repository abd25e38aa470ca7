// SPDX-License-Identifier: Apache-2.0
// The source line of an instruction, from a code object's line table. Each
// version's form is described in its Objects/lnotab_notes.txt (to 3.10) and
// Objects/locations.md (from 3.11).
#pragma once

#include <cstdint>

#include "preload/runtime/cpython_layout.h"

namespace heapledger::preload {

namespace internal {

// The bytes of a table in turn, fetched in pieces; 0 behind its end.
template <typename Memory>
class TableBytes {
 public:
  TableBytes(const Memory& memory, std::uint64_t data, std::uint64_t size)
      : memory_(memory), data_(data), size_(size) {}

  [[nodiscard]] bool more() const { return at_ < size_; }

  std::uint8_t Next() {
    if (at_ >= size_) return 0;
    const std::uint64_t in_piece = at_ % kPiece;
    if (in_piece == 0) {
      const std::uint64_t left = size_ - at_;
      if (!memory_.Copy(data_ + at_, piece_, left < kPiece ? left : kPiece)) {
        size_ = at_;
        return 0;
      }
    }
    ++at_;
    return piece_[in_piece];
  }

 private:
  static constexpr std::uint64_t kPiece = 64;

  const Memory& memory_;
  std::uint64_t data_;
  std::uint64_t size_;
  std::uint64_t at_ = 0;
  std::uint8_t piece_[kPiece] = {};
};

template <typename Bytes>
std::int64_t LineFromLnotab(Bytes& bytes, std::int64_t line,
                            std::int64_t address) {
  std::int64_t at = 0;
  while (bytes.more()) {
    at += bytes.Next();
    if (at > address) break;
    line += static_cast<std::int8_t>(bytes.Next());
  }
  return line;
}

template <typename Bytes>
std::int64_t LineFromLinetable(Bytes& bytes, std::int64_t line,
                               std::int64_t address) {
  constexpr std::int8_t kNoLine = -128;
  std::int64_t at = 0;
  while (bytes.more()) {
    at += bytes.Next();
    const auto change = static_cast<std::int8_t>(bytes.Next());
    if (change != kNoLine) line += change;
    if (at > address) return change == kNoLine ? 0 : line;
  }
  return 0;
}

template <typename Bytes>
std::uint64_t Varint(Bytes& bytes) {
  std::uint64_t value = 0;
  for (std::uint32_t shift = 0; shift < 60; shift += 6) {
    const std::uint8_t byte = bytes.Next();
    value |= std::uint64_t{byte & 0x3fU} << shift;
    if ((byte & 0x40) == 0) break;
  }
  return value;
}

template <typename Bytes>
std::int64_t SignedVarint(Bytes& bytes) {
  const std::uint64_t value = Varint(bytes);
  const auto magnitude = static_cast<std::int64_t>(value >> 1);
  return (value & 1) != 0 ? -magnitude : magnitude;
}

template <typename Bytes>
std::int64_t LineFromLocations(Bytes& bytes, std::int64_t line,
                               std::int64_t address) {
  constexpr int kUnitBytes = 2;
  std::int64_t at = 0;
  while (bytes.more()) {
    const std::uint8_t head = bytes.Next();
    if ((head & 0x80) == 0) return 0;  // every entry begins with this bit
    const int kind = head >> 3 & 15;
    at += ((head & 7) + 1) * kUnitBytes;
    bool known = true;
    switch (kind) {
      case 15:  // no location
        known = false;
        break;
      case 14:  // line, end line, columns
        line += SignedVarint(bytes);
        for (int i = 0; i < 3; ++i) (void)Varint(bytes);
        break;
      case 13:  // no columns
        line += SignedVarint(bytes);
        break;
      case 12:
      case 11:
      case 10:  // the line, and two columns in bytes
        line += kind - 10;
        (void)bytes.Next();
        (void)bytes.Next();
        break;
      default:  // the same line, and columns in a byte
        (void)bytes.Next();
    }
    if (at > address) return known ? line : 0;
  }
  return 0;
}

}  // namespace internal

// The line of the instruction at byte `address` of the bytecode, from `size`
// bytes at `data`; 0 where it has none. Before the first instruction it is the
// first line.
template <typename Memory>
std::uint32_t PythonLineAt(LineTable form, const Memory& memory,
                           std::uint64_t data, std::uint64_t size,
                           std::uint32_t first_line, std::int64_t address) {
  // Of the largest generated modules; also bounds the work.
  constexpr std::uint64_t kMaximumBytes = 4 << 20;
  if (address < 0) return first_line;
  if (size > kMaximumBytes) return 0;
  internal::TableBytes<Memory> bytes(memory, data, size);
  std::int64_t line = first_line;
  switch (form) {
    case LineTable::kLnotab:
      line = internal::LineFromLnotab(bytes, line, address);
      break;
    case LineTable::kLinetable:
      line = internal::LineFromLinetable(bytes, line, address);
      break;
    case LineTable::kLocations:
      line = internal::LineFromLocations(bytes, line, address);
      break;
  }
  return line < 0 || line > 0x7fffffff ? 0 : static_cast<std::uint32_t>(line);
}

}  // namespace heapledger::preload
