// SPDX-License-Identifier: Apache-2.0
// The load segment of a mapped module that holds an address: what the CFI
// parser may read without a fault. A module's mapping as a whole may have
// holes.
#pragma once

#include <cstdint>

#include "preload/unwind/byte_reader.h"

namespace heapledger::preload::unwind {

// Returns the readable load segment around `address` of the module mapped at
// `module`, else an empty range. REQUIRES: the first page of `module` is
// readable. A module whose first page is no ELF header yields the empty range.
inline ByteRange FindLoadSegment(ByteRange module, std::uint64_t address) {
  constexpr std::uint64_t kHeaderPage = 4096;
  constexpr std::uint32_t kElfMagic = 0x464c457f;  // "\177ELF"
  constexpr std::uint32_t kLoad = 1;               // PT_LOAD
  constexpr std::uint32_t kReadable = 4;           // PF_R
  constexpr std::uint64_t kProgramHeaderBytes = 56;

  if (module.size() < kHeaderPage) return {};
  const ByteRange page{module.start, module.start + kHeaderPage};
  ByteReader header(page);
  const auto magic = header.Read<std::uint32_t>();
  header.Skip(12 + 16);  // e_ident's rest, type, machine, version, entry
  const auto table = header.Read<std::uint64_t>();
  header.Skip(8 + 4 + 2);  // section headers, flags, header size
  const auto entry_bytes = header.Read<std::uint16_t>();
  const auto entries = header.Read<std::uint16_t>();
  if (!header.ok() || magic != kElfMagic ||
      entry_bytes != kProgramHeaderBytes || table > kHeaderPage) {
    return {};
  }
  bool biased = false;
  std::uint64_t bias = 0;
  ByteReader reader(page, module.start + table);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const auto type = reader.Read<std::uint32_t>();
    const auto flags = reader.Read<std::uint32_t>();
    reader.Skip(8);  // file offset
    const auto address_in_file = reader.Read<std::uint64_t>();
    reader.Skip(8 + 8);  // physical address, size in the file
    const auto bytes = reader.Read<std::uint64_t>();
    reader.Skip(8);  // alignment
    if (!reader.ok()) return {};
    if (type != kLoad) continue;
    if (!biased) {
      // Load segments are sorted; the first one's page is where mapping began.
      bias = module.start - (address_in_file & ~(kHeaderPage - 1));
      biased = true;
    }
    const ByteRange segment{bias + address_in_file,
                            bias + address_in_file + bytes};
    if ((flags & kReadable) != 0 && segment.start >= module.start &&
        segment.end <= module.end && segment.start <= segment.end &&
        segment.Contains(address, 1)) {
      return segment;
    }
  }
  return {};
}

}  // namespace heapledger::preload::unwind
