// SPDX-License-Identifier: Apache-2.0
// The program headers of a mapped ELF object, and the load segment that holds
// an address: what the CFI parser may read without a fault. An object's mapping
// as a whole may have holes.
#pragma once

#include <cstdint>

#include "preload/unwind/byte_reader.h"

namespace heapledger::preload::unwind {

inline constexpr std::uint64_t kHeaderPageBytes = 4096;

// One program header, its address moved by the load bias.
struct ProgramHeader {
  static constexpr std::uint32_t kLoad = 1;      // PT_LOAD
  static constexpr std::uint32_t kNote = 4;      // PT_NOTE
  static constexpr std::uint32_t kReadable = 4;  // PF_R

  std::uint32_t type = 0;
  std::uint32_t flags = 0;
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
};

// Calls `visit(header)` for each program header until it returns false.
// `header_page` is where the object's first page, with the ELF header, is
// mapped. Returns false for what is no ELF file or has its headers elsewhere.
// REQUIRES: the page at `header_page` is readable.
template <typename Visit>
bool ForEachProgramHeader(std::uint64_t header_page, Visit&& visit) {
  constexpr std::uint32_t kElfMagic = 0x464c457f;  // "\177ELF"
  constexpr std::uint64_t kProgramHeaderBytes = 56;

  const ByteRange page{header_page, header_page + kHeaderPageBytes};
  ByteReader header(page);
  const auto magic = header.Read<std::uint32_t>();
  header.Skip(12 + 16);  // e_ident's rest, type, machine, version, entry
  const auto table = header.Read<std::uint64_t>();
  header.Skip(8 + 4 + 2);  // section headers, flags, header size
  const auto entry_bytes = header.Read<std::uint16_t>();
  const auto entries = header.Read<std::uint16_t>();
  if (!header.ok() || magic != kElfMagic ||
      entry_bytes != kProgramHeaderBytes || table > kHeaderPageBytes) {
    return false;
  }
  bool biased = false;
  std::uint64_t bias = 0;
  // Load segments are sorted; the first one's page is where mapping began. As
  // other headers may come before it, it is looked for first.
  for (int pass = 0; pass < 2; ++pass) {
    ByteReader reader(page, header_page + table);
    for (std::uint32_t i = 0; i < entries; ++i) {
      ProgramHeader row;
      row.type = reader.Read<std::uint32_t>();
      row.flags = reader.Read<std::uint32_t>();
      reader.Skip(8);  // file offset
      row.address = reader.Read<std::uint64_t>() + bias;
      reader.Skip(8 + 8);  // physical address, size in the file
      row.bytes = reader.Read<std::uint64_t>();
      reader.Skip(8);  // alignment
      if (!reader.ok()) return false;
      if (pass == 0 && row.type == ProgramHeader::kLoad) {
        bias = header_page - (row.address & ~(kHeaderPageBytes - 1));
        biased = true;
        break;
      }
      if (pass == 1 && !visit(row)) return true;
    }
    if (!biased) return false;
  }
  return true;
}

// Returns the readable load segment around `address` of the module mapped at
// `module`, else an empty range. REQUIRES: the first page of `module` is
// readable. A module whose first page is no ELF header yields the empty range.
inline ByteRange FindLoadSegment(ByteRange module, std::uint64_t address) {
  ByteRange found;
  if (module.size() < kHeaderPageBytes) return found;
  ForEachProgramHeader(module.start, [&](const ProgramHeader& row) {
    const ByteRange segment{row.address, row.address + row.bytes};
    if (row.type == ProgramHeader::kLoad &&
        (row.flags & ProgramHeader::kReadable) != 0 &&
        segment.start >= module.start && segment.end <= module.end &&
        segment.start <= segment.end && segment.Contains(address, 1)) {
      found = segment;
      return false;
    }
    return true;
  });
  return found;
}

// From the first page of the first load segment to the end of the last; empty
// where there is none. REQUIRES: as ForEachProgramHeader().
inline ByteRange FindLoadExtent(std::uint64_t header_page) {
  ByteRange extent;
  ForEachProgramHeader(header_page, [&](const ProgramHeader& row) {
    if (row.type != ProgramHeader::kLoad) return true;
    if (extent.size() == 0) {
      extent.start = row.address & ~(kHeaderPageBytes - 1);
    }
    if (row.address + row.bytes > extent.end) {
      extent.end = row.address + row.bytes;
    }
    return true;
  });
  return extent;
}

}  // namespace heapledger::preload::unwind
