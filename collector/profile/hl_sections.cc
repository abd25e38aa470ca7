// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/hl_sections.h"

#include <zlib.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace heapledger::collector {
namespace {

// Many times what any version has had; a table of more is noise.
constexpr std::uint32_t kMaximumSections = 256;

std::uint32_t Checksum(std::span<const std::byte> bytes,
                       std::uint32_t before = 0) {
  return static_cast<std::uint32_t>(crc32_z(
      before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

bool ChecksumHolds(hl::Header header, std::span<const std::byte> front) {
  const std::uint32_t stated = std::exchange(header.checksum, 0);
  const std::uint32_t sum = Checksum(std::as_bytes(std::span(&header, 1)));
  return Checksum(front.subspan(sizeof header), sum) == stated;
}

}  // namespace

absl::Status HlSections::Unsound(std::string_view why) const {
  return absl::InvalidArgumentError(absl::StrCat(
      path_, " is no sound snapshot: ", std::string(why),
      "; take it anew with heapledger snapshot, or copy it again"));
}

absl::Status HlSections::ParseHeader(std::span<const std::byte> bytes,
                                     hl::Header* header) const {
  if (bytes.size() < sizeof(hl::kMagic) ||
      std::memcmp(bytes.data(), hl::kMagic, sizeof hl::kMagic) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_,
                     " is no heapledger snapshot: it does not begin as "
                     "one; give a .hl file"));
  }
  if (bytes.size() < sizeof *header) return Unsound("it is cut short");
  std::memcpy(header, bytes.data(), sizeof *header);
  if (header->major > hl::kMajor) {
    return absl::InvalidArgumentError(absl::StrCat(
        path_, " has snapshot format ", header->major, ", this build reads ",
        hl::kMajor, "; read it with a newer heapledger"));
  }
  if (header->major < hl::kMajor) return Unsound("its format version is 0");
  if (header->file_bytes > bytes.size()) return Unsound("it is cut short");
  if (header->file_bytes < bytes.size()) {
    return Unsound("it is longer than it says");
  }
  const std::uint64_t table_bytes =
      std::uint64_t{header->section_count} * header->section_bytes;
  if (header->header_bytes < sizeof *header ||
      header->section_bytes < sizeof(hl::Section) ||
      header->section_count > kMaximumSections ||
      header->header_bytes > bytes.size() ||
      table_bytes > bytes.size() - header->header_bytes) {
    return Unsound("its section table lies outside it");
  }
  if (!ChecksumHolds(*header,
                     bytes.first(header->header_bytes + table_bytes))) {
    return Unsound("the checksum of its header is wrong");
  }
  return absl::OkStatus();
}

absl::Status HlSections::AddSection(std::span<const std::byte> bytes,
                                    const hl::Section& entry) {
  std::string name(entry.name, strnlen(entry.name, sizeof entry.name));
  if (entry.offset % 8 != 0 || entry.offset > bytes.size() ||
      entry.size > bytes.size() - entry.offset) {
    return Unsound(absl::StrCat("section ", name, " lies outside it"));
  }
  // By division: the product of two numbers of the file may wrap.
  const bool fits = entry.record_bytes == 0
                        ? false
                        : entry.size % entry.record_bytes == 0 &&
                              entry.size / entry.record_bytes == entry.count;
  if (!fits) {
    return Unsound(
        absl::StrCat("section ", name, " does not hold what it counts"));
  }
  const auto content = bytes.subspan(entry.offset, entry.size);
  if (!sections_
           .try_emplace(name,
                        Section{content, entry.record_bytes, entry.checksum})
           .second) {
    return Unsound(absl::StrCat("it has two sections ", name));
  }
  return absl::OkStatus();
}

absl::StatusOr<HlSections> HlSections::Parse(std::span<const std::byte> bytes,
                                             const std::string& path) {
  HlSections sections(path);
  hl::Header header;
  absl::Status ok = sections.ParseHeader(bytes, &header);
  if (!ok.ok()) return ok;
  for (std::uint32_t i = 0; i < header.section_count; ++i) {
    hl::Section entry;
    std::memcpy(&entry,
                bytes.data() + header.header_bytes +
                    std::size_t{i} * header.section_bytes,
                sizeof entry);
    if (ok = sections.AddSection(bytes, entry); !ok.ok()) return ok;
  }
  return sections;
}

absl::StatusOr<const HlSections::Section*> HlSections::Find(
    std::string_view name, std::size_t least_bytes) const {
  const auto found = sections_.find(name);
  if (found == sections_.end()) {
    return Unsound(absl::StrCat("section ", std::string(name), " is missing"));
  }
  if (found->second.record_bytes < least_bytes) {
    return Unsound(absl::StrCat("the records of section ", std::string(name),
                                " are too short"));
  }
  if (Checksum(found->second.bytes) != found->second.checksum) {
    return Unsound(absl::StrCat("the checksum of section ", std::string(name),
                                " is wrong"));
  }
  return &found->second;
}

std::vector<std::string> HlSections::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, section] : sections_) names.push_back(name);
  return names;
}

absl::StatusOr<std::string_view> HlSections::Chars(
    std::string_view name) const {
  const auto section = Find(name, 1);
  if (!section.ok()) return section.status();
  const auto bytes = (*section)->bytes;
  return std::string_view(reinterpret_cast<const char*>(bytes.data()),
                          bytes.size());
}

}  // namespace heapledger::collector
