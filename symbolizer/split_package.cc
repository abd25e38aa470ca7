// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/split_package.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace heapledger::symbolizer {
namespace {

// Identifiers of the columns; the same in both versions for what we use.
constexpr std::uint32_t kInfo = 1;
constexpr std::uint32_t kAbbrev = 3;
constexpr std::uint32_t kStrOffsets = 6;
constexpr std::uint32_t kRnglists = 8;  // version 5 alone

// Versions 2 (GNU) and 5 have at most this many.
constexpr std::uint32_t kMaxColumns = 8;

constexpr std::size_t kIndexHeaderBytes = 16;
constexpr std::size_t kStrOffsetsHeaderBytes = 8;  // DWARF 5, 32 bits

template <typename Number>
Number At(std::span<const char> bytes, std::size_t offset) {
  Number number = 0;
  if (offset <= bytes.size() && bytes.size() - offset >= sizeof number) {
    std::memcpy(&number, bytes.data() + offset, sizeof number);
  }
  return number;
}

std::span<const char> Part(std::span<const char> section, std::uint32_t offset,
                           std::uint32_t size) {
  if (offset > section.size() || size > section.size() - offset) return {};
  return section.subspan(offset, size);
}

// The strings that `str_offsets` leads to, moved together: the package's are
// those of all its units, and would be copied for each.
struct Strings {
  std::string offsets;
  std::string bytes;
};

Strings Gather(std::span<const char> str_offsets, std::span<const char> str,
               std::size_t header_bytes) {
  Strings strings;
  header_bytes = std::min(header_bytes, str_offsets.size());
  strings.offsets.assign(str_offsets.data(), header_bytes);
  for (std::size_t at = header_bytes;
       at + sizeof(std::uint32_t) <= str_offsets.size();
       at += sizeof(std::uint32_t)) {
    const auto offset = At<std::uint32_t>(str_offsets, at);
    const auto moved = static_cast<std::uint32_t>(strings.bytes.size());
    strings.offsets.append(reinterpret_cast<const char*>(&moved), sizeof moved);
    if (offset < str.size()) {
      const auto rest = str.subspan(offset);
      const auto end = std::find(rest.begin(), rest.end(), '\0');
      strings.bytes.append(rest.begin(), end);
      // Damaged offsets may all lead to one long string.
      if (strings.bytes.size() > str.size()) break;
    }
    strings.bytes.push_back('\0');
  }
  return strings;
}

}  // namespace

absl::StatusOr<SplitPackage> SplitPackage::Read(const ElfFile& file) {
  absl::StatusOr<DwarfImage> image =
      DwarfImage::Copy(file, DwarfImage::Kind::kSplit);
  if (!image.ok()) return image.status();
  SplitPackage package(*std::move(image));
  if (package.ReadIndex()) return package;
  return absl::DataLossError("read " + file.path() + ": no index of units");
}

bool SplitPackage::ReadIndex() {
  const std::span<const char> index = image_.section(".debug_cu_index");
  // DWARF 5 has a half word of padding behind its half word of version.
  const auto version = At<std::uint16_t>(index, 0);
  const auto columns = At<std::uint32_t>(index, 4);
  const auto units = At<std::uint32_t>(index, 8);
  const auto slots = At<std::uint32_t>(index, 12);
  if ((version != 2 && version != 5) || columns > kMaxColumns) return false;
  // Ids, row numbers, the columns' identifiers, offsets, sizes.
  const std::uint64_t ids = kIndexHeaderBytes;
  const std::uint64_t numbers = ids + std::uint64_t{slots} * 8;
  const std::uint64_t names = numbers + std::uint64_t{slots} * 4;
  const std::uint64_t offsets = names + std::uint64_t{columns} * 4;
  const std::uint64_t table_bytes = std::uint64_t{units} * columns * 4;
  if (offsets + 2 * table_bytes > index.size()) return false;
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    const auto number = At<std::uint32_t>(index, numbers + slot * 4);
    if (number == 0 || number > units) continue;
    Row row;
    for (std::uint32_t column = 0; column < columns; ++column) {
      const std::uint64_t cell =
          (std::uint64_t{number - 1} * columns + column) * 4;
      const auto offset = At<std::uint32_t>(index, offsets + cell);
      const auto size = At<std::uint32_t>(index, offsets + table_bytes + cell);
      switch (At<std::uint32_t>(index, names + column * 4)) {
        case kInfo:
          row.info = Part(image_.section(".debug_info.dwo"), offset, size);
          break;
        case kAbbrev:
          row.abbrev = Part(image_.section(".debug_abbrev.dwo"), offset, size);
          break;
        case kStrOffsets:
          row.str_offsets =
              Part(image_.section(".debug_str_offsets.dwo"), offset, size);
          break;
        case kRnglists:
          row.rnglists =
              Part(image_.section(".debug_rnglists.dwo"), offset, size);
          break;
        default:
          break;
      }
    }
    rows_.emplace(At<std::uint64_t>(index, ids + slot * 8), row);
  }
  return true;
}

absl::StatusOr<DwarfImage> SplitPackage::Extract(std::uint64_t unit_id) const {
  const Row& row = rows_.at(unit_id);
  const bool has_header = At<std::uint16_t>(row.info, 4) >= 5;
  const Strings strings =
      Gather(row.str_offsets, image_.section(".debug_str.dwo"),
             has_header ? kStrOffsetsHeaderBytes : 0);
  std::vector<DwarfImage::Part> parts = {
      DwarfImage::PartOf(".debug_info.dwo", row.info),
      DwarfImage::PartOf(".debug_abbrev.dwo", row.abbrev),
      DwarfImage::PartOf(".debug_str_offsets.dwo", strings.offsets),
      DwarfImage::PartOf(".debug_str.dwo", strings.bytes)};
  if (!row.rnglists.empty()) {
    parts.push_back(DwarfImage::PartOf(".debug_rnglists.dwo", row.rnglists));
  }
  return DwarfImage::Build(std::move(parts));
}

}  // namespace heapledger::symbolizer
