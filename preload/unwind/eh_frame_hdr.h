// SPDX-License-Identifier: Apache-2.0
// .eh_frame_hdr: where a module's .eh_frame lies, and usually a table sorted by
// pc that leads to the FDE in a few probes. Its bytes are not trusted: whatever
// does not fit the readable range is "no FDE".
#pragma once

#include <cstdint>

#include "preload/unwind/byte_reader.h"

namespace heapledger::preload::unwind {

// The unwind data of one module. `readable` must be mapped for as long as the
// module is in use, and hold both sections: the load segment that .eh_frame_hdr
// lies in (load_segment.h finds it).
struct EhFrameSection {
  std::uint64_t eh_frame_hdr = 0;  // address
  ByteRange readable;
};

struct EhFrameHdr {
  bool valid = false;
  std::uint64_t eh_frame = 0;    // address of .eh_frame
  std::uint64_t table = 0;       // address of the sorted table, 0 if none
  std::uint64_t table_rows = 0;  // all of them readable
};

inline constexpr std::uint64_t kTableRowBytes = 8;

inline EhFrameHdr ParseEhFrameHdr(const EhFrameSection& section) {
  EhFrameHdr hdr;
  ByteReader reader(section.readable, section.eh_frame_hdr);
  const auto version = reader.Read<std::uint8_t>();
  const auto frame_encoding = reader.Read<std::uint8_t>();
  const auto count_encoding = reader.Read<std::uint8_t>();
  const auto table_encoding = reader.Read<std::uint8_t>();
  hdr.eh_frame = reader.ReadEncoded(frame_encoding, section.eh_frame_hdr);
  if (!reader.ok() || version != 1) return hdr;
  hdr.valid = section.readable.Contains(hdr.eh_frame, 0);
  // The one encoding that GNU ld, gold, lld and mold emit; any other is read
  // without the table.
  if (table_encoding != (kEncodingDataRelative | kEncodingSigned4) ||
      count_encoding == kEncodingOmit) {
    return hdr;
  }
  const std::uint64_t rows =
      reader.ReadEncoded(count_encoding, section.eh_frame_hdr);
  if (!reader.ok() || rows == 0) return hdr;
  const ByteRange rest{reader.position(), section.readable.end};
  if (rows > rest.size() / kTableRowBytes) return hdr;
  hdr.table = reader.position();
  hdr.table_rows = rows;
  return hdr;
}

// Returns the address of the FDE of the last row that begins at or before pc,
// or 0. The FDE itself says where it ends. REQUIRES: hdr.table != 0.
inline std::uint64_t SearchTable(const EhFrameSection& section,
                                 const EhFrameHdr& hdr, std::uint64_t pc) {
  const auto target = static_cast<std::int64_t>(pc - section.eh_frame_hdr);
  const auto row_word = [&](std::uint64_t row, std::uint64_t word) {
    std::int32_t value = 0;
    __builtin_memcpy(&value,
                     reinterpret_cast<const void*>(
                         hdr.table + row * kTableRowBytes + word * 4),
                     sizeof value);
    return value;
  };
  std::uint64_t low = 0;
  std::uint64_t high = hdr.table_rows;  // rows at and past it begin after pc
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (row_word(middle, 0) <= target) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return 0;
  return section.eh_frame_hdr +
         static_cast<std::uint64_t>(
             static_cast<std::int64_t>(row_word(low - 1, 1)));
}

}  // namespace heapledger::preload::unwind
