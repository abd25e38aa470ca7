// SPDX-License-Identifier: Apache-2.0
// Makes the checksums of a changed snapshot file right again, so that what lies
// behind them is tested.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "collector/profile/hl_layout.h"

namespace heapledger::testing {

inline std::uint32_t HlChecksum(const char* bytes, std::size_t size) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes), size));
}

// Of whatever lies inside the file; the rest is left alone.
inline void SealHl(std::string& file) {
  namespace hl = collector::hl;
  hl::Header header;
  if (file.size() < sizeof header) return;
  std::memcpy(&header, file.data(), sizeof header);
  // A table that no reader takes would be walked for minutes.
  if (header.section_bytes < sizeof(hl::Section)) return;
  std::uint64_t end = header.header_bytes;
  for (std::uint32_t i = 0; i < header.section_count; ++i) {
    hl::Section section;
    const std::uint64_t at =
        header.header_bytes + std::uint64_t{i} * header.section_bytes;
    end = at + header.section_bytes;
    if (end > file.size() || at + sizeof section > file.size()) return;
    std::memcpy(&section, file.data() + at, sizeof section);
    if (section.offset > file.size() ||
        section.size > file.size() - section.offset) {
      continue;
    }
    section.checksum = HlChecksum(file.data() + section.offset, section.size);
    std::memcpy(file.data() + at, &section, sizeof section);
  }
  if (end > file.size()) return;
  header.checksum = 0;
  std::memcpy(file.data(), &header, sizeof header);
  header.checksum = HlChecksum(file.data(), end);
  std::memcpy(file.data(), &header, sizeof header);
}

// Where entry and content of a section lie; both 0 where there is none.
struct HlPlace {
  std::size_t entry = 0;
  std::size_t content = 0;
};

inline HlPlace PlaceOf(const std::string& file, std::string_view name) {
  namespace hl = collector::hl;
  hl::Header header;
  std::memcpy(&header, file.data(), sizeof header);
  for (std::uint32_t i = 0; i < header.section_count; ++i) {
    hl::Section section;
    const std::size_t at = header.header_bytes + i * sizeof section;
    std::memcpy(&section, file.data() + at, sizeof section);
    if (name == section.name) return {at, section.offset};
  }
  return {};
}

}  // namespace heapledger::testing
