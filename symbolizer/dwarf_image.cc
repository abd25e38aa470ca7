// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/dwarf_image.h"

#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <libelf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"

namespace heapledger::symbolizer {
namespace {

// What function names and lines need: no locations of variables, no macros,
// no unwind information, which together are a third of the whole.
constexpr std::array<std::string_view, 11> kSections = {
    "info", "types",  "abbrev",      "addr",     "aranges", "line",
    "str",  "ranges", "str_offsets", "rnglists", "line_str"};

// Longer than any number that libdw might read beyond the end.
constexpr std::size_t kPadding = 64;

// As for files: a few kilobytes of zeros, compressed, claim to be gigabytes.
constexpr std::uint64_t kMaxBytes = std::uint64_t{8} << 30;

constexpr char kAltLink[] = ".gnu_debugaltlink";

struct Section {
  std::string name;  // as libdw knows it, without the z of ".zdebug_"
  const void* bytes;
  std::size_t size;
  std::size_t offset = 0;       // in the image
  std::size_t name_offset = 0;  // in the image's section names
};

// The name under which the image holds the section; nothing if it does not.
std::optional<std::string> ImageName(std::string_view name) {
  if (name == kAltLink) return std::string(name);
  for (std::string_view prefix : {".debug_", ".zdebug_"}) {
    if (!name.starts_with(prefix)) continue;
    const std::string_view kind = name.substr(prefix.size());
    if (std::find(kSections.begin(), kSections.end(), kind) !=
        kSections.end()) {
      return ".debug_" + std::string(kind);
    }
  }
  return std::nullopt;
}

// Decompresses the section if it is compressed. Returns whether its data may
// be asked for.
bool Decompress(Elf_Scn* scn, const GElf_Shdr& header, std::string_view name) {
  if ((header.sh_flags & SHF_COMPRESSED) != 0) {
    GElf_Chdr compression;
    return gelf_getchdr(scn, &compression) != nullptr &&
           compression.ch_size <= kMaxBytes && elf_compress(scn, 0, 0) >= 0;
  }
  if (name.starts_with(".zdebug_")) {
    const ssize_t size = dwelf_scn_gnu_compressed_size(scn);
    // -1: a section that kept its name and did not shrink.
    return size < 0 || (static_cast<std::uint64_t>(size) <= kMaxBytes &&
                        elf_compress_gnu(scn, 0, 0) >= 0);
  }
  return true;
}

std::vector<Section> ReadSections(Elf* elf) {
  std::vector<Section> sections;
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return sections;
  for (Elf_Scn* scn = elf_nextscn(elf, nullptr); scn != nullptr;
       scn = elf_nextscn(elf, scn)) {
    GElf_Shdr header{};
    if (gelf_getshdr(scn, &header) == nullptr) continue;
    const char* raw_name = elf_strptr(elf, names, header.sh_name);
    if (raw_name == nullptr || header.sh_type == SHT_NOBITS) continue;
    const std::string name = raw_name;  // decompressing may move it
    const std::optional<std::string> image_name = ImageName(name);
    if (!image_name || !Decompress(scn, header, name)) continue;
    const Elf_Data* data = elf_rawdata(scn, nullptr);
    if (data == nullptr || data->d_buf == nullptr) continue;
    sections.push_back({*image_name, data->d_buf, data->d_size});
  }
  return sections;
}

template <typename T>
void Store(const T& value, std::size_t offset, std::vector<char>& bytes) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

Elf64_Shdr SectionHeader(Elf64_Word type, std::size_t name, std::size_t offset,
                         std::size_t size) {
  Elf64_Shdr header{};
  header.sh_name = static_cast<Elf64_Word>(name);
  header.sh_type = type;
  header.sh_offset = offset;
  header.sh_size = size;
  header.sh_addralign = 1;
  return header;
}

// Lays the sections out: header, data, names, section headers (an empty one,
// those of the sections, that of the names).
std::vector<char> WriteImage(std::vector<Section> sections) {
  std::string names(1, '\0');
  std::size_t end = sizeof(Elf64_Ehdr) + kPadding;
  for (Section& section : sections) {
    section.offset = end;
    end += section.size + kPadding;
    section.name_offset = names.size();
    names += section.name + '\0';
  }
  const std::size_t own_name = names.size();
  names += std::string(".shstrtab") + '\0';
  const std::size_t names_offset = end;
  end += names.size();
  end += alignof(Elf64_Shdr) - end % alignof(Elf64_Shdr);
  const std::size_t table = end;
  const std::size_t count = sections.size() + 2;

  std::vector<char> bytes(table + count * sizeof(Elf64_Shdr) + kPadding);
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof header;
  header.e_shoff = table;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = static_cast<Elf64_Half>(count);
  header.e_shstrndx = static_cast<Elf64_Half>(count - 1);
  Store(header, 0, bytes);
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const Section& section = sections[i];
    std::memcpy(bytes.data() + section.offset, section.bytes, section.size);
    Store(SectionHeader(SHT_PROGBITS, section.name_offset, section.offset,
                        section.size),
          table + (i + 1) * sizeof(Elf64_Shdr), bytes);
  }
  std::memcpy(bytes.data() + names_offset, names.data(), names.size());
  Store(SectionHeader(SHT_STRTAB, own_name, names_offset, names.size()),
        table + (count - 1) * sizeof(Elf64_Shdr), bytes);
  return bytes;
}

}  // namespace

void DwarfImage::ElfDeleter::operator()(Elf* elf) const { elf_end(elf); }

DwarfImage::DwarfImage(std::vector<char> bytes,
                       std::unique_ptr<Elf, ElfDeleter> elf)
    : bytes_(std::move(bytes)), elf_(std::move(elf)) {}

absl::StatusOr<DwarfImage> DwarfImage::Copy(const ElfFile& file) {
  // A handle of its own, so that the file's sections go away again.
  std::unique_ptr<Elf, ElfDeleter> source(
      elf_begin(file.file().descriptor(), ELF_C_READ, nullptr));
  GElf_Ehdr header;
  if (source == nullptr || gelf_getehdr(source.get(), &header) == nullptr) {
    return absl::DataLossError("read DWARF of " + file.path() +
                               ": not an ELF file");
  }
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return absl::UnimplementedError("read DWARF of " + file.path() +
                                    ": big-endian");
  }
  std::vector<Section> sections = ReadSections(source.get());
  std::uint64_t total = 0;
  for (const Section& section : sections) total += section.size;
  // A file has a dozen of these sections, not thousands of the same name.
  if (total > kMaxBytes || sections.size() > 2 * kSections.size()) {
    return absl::DataLossError("read DWARF of " + file.path() +
                               ": too large to be true");
  }
  std::vector<char> bytes = WriteImage(std::move(sections));
  std::unique_ptr<Elf, ElfDeleter> elf(elf_memory(bytes.data(), bytes.size()));
  if (elf == nullptr) {
    return absl::InternalError("read DWARF of " + file.path() + ": " +
                               elf_errmsg(-1));
  }
  return DwarfImage(std::move(bytes), std::move(elf));
}

}  // namespace heapledger::symbolizer
