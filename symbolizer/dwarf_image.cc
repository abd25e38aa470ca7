// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/dwarf_image.h"

#include <gelf.h>
#include <libelf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "symbolizer/section_bytes.h"

namespace heapledger::symbolizer {
namespace {

// What function names and lines need: no locations of variables, no macros,
// no unwind information, which together are a third of the whole.
constexpr std::array<std::string_view, 12> kLinkedSections = {
    ".debug_info",     ".debug_types",    ".debug_abbrev",
    ".debug_addr",     ".debug_aranges",  ".debug_line",
    ".debug_str",      ".debug_ranges",   ".debug_str_offsets",
    ".debug_rnglists", ".debug_line_str", ".gnu_debugaltlink"};
constexpr std::array<std::string_view, 6> kSplitSections = {
    ".debug_info.dwo",        ".debug_abbrev.dwo",   ".debug_str.dwo",
    ".debug_str_offsets.dwo", ".debug_rnglists.dwo", ".debug_cu_index"};

// Longer than any number that libdw might read beyond the end.
constexpr std::size_t kPadding = 64;

// As for files: a few kilobytes of zeros, compressed, claim to be gigabytes.
constexpr std::uint64_t kMaxBytes = std::uint64_t{8} << 30;

// The name under which the image holds a section: as libdw knows it, without
// the z of ".zdebug_". Nothing if it does not hold it.
std::optional<std::string> ImageName(std::string_view name,
                                     std::span<const std::string_view> wanted) {
  std::string plain(name);
  if (name.starts_with(".zdebug_")) plain.erase(1, 1);
  if (std::find(wanted.begin(), wanted.end(), plain) == wanted.end()) {
    return std::nullopt;
  }
  return plain;
}

std::vector<DwarfImage::Part> PartsOf(
    const ElfFile& file, std::span<const std::string_view> wanted) {
  std::vector<DwarfImage::Part> parts;
  Elf* const elf = file.elf();
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return parts;
  for (Elf_Scn* scn = elf_nextscn(elf, nullptr); scn != nullptr;
       scn = elf_nextscn(elf, scn)) {
    GElf_Shdr header{};
    if (gelf_getshdr(scn, &header) == nullptr) continue;
    const char* name = elf_strptr(elf, names, header.sh_name);
    if (name == nullptr) continue;
    const std::optional<std::string> image_name = ImageName(name, wanted);
    if (!image_name) continue;
    const auto bytes = SectionBytes::Of(file.file(), gelf_getclass(elf), header,
                                        name, kMaxBytes);
    if (!bytes) continue;
    parts.push_back({*image_name, bytes->size(), [bytes](std::span<char> out) {
                       return bytes->ReadInto(out);
                     }});
  }
  return parts;
}

template <typename T>
void Store(const T& value, char* place) {
  std::memcpy(place, &value, sizeof value);
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

Elf64_Ehdr FileHeader(std::size_t table, std::size_t sections) {
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
  header.e_shnum = static_cast<Elf64_Half>(sections);
  header.e_shstrndx = static_cast<Elf64_Half>(sections - 1);
  return header;
}

}  // namespace

void DwarfImage::ElfDeleter::operator()(Elf* elf) const { elf_end(elf); }

DwarfImage::Part DwarfImage::PartOf(std::string name,
                                    std::span<const char> bytes) {
  return {std::move(name), bytes.size(), [bytes](std::span<char> out) {
            std::copy(bytes.begin(), bytes.end(), out.begin());
            return true;
          }};
}

absl::StatusOr<DwarfImage> DwarfImage::Copy(const ElfFile& file, Kind kind) {
  GElf_Ehdr header;
  if (gelf_getehdr(file.elf(), &header) == nullptr) {
    return absl::DataLossError("read DWARF of " + file.path() +
                               ": not an ELF file");
  }
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return absl::UnimplementedError("read DWARF of " + file.path() +
                                    ": big-endian");
  }
  std::vector<Part> parts = kind == Kind::kLinked
                                ? PartsOf(file, kLinkedSections)
                                : PartsOf(file, kSplitSections);
  std::uint64_t total = 0;
  for (const Part& part : parts) total += part.size;
  // A file has a dozen of these sections, not thousands of the same name.
  if (total > kMaxBytes || parts.size() > 2 * kLinkedSections.size()) {
    return absl::DataLossError("read DWARF of " + file.path() +
                               ": too large to be true");
  }
  return Build(std::move(parts));
}

// Lays the sections out: header, data, names, section headers (an empty one,
// those of the sections, that of the names).
absl::StatusOr<DwarfImage> DwarfImage::Build(std::vector<Part> parts) {
  DwarfImage image;
  std::string names(1, '\0');
  std::vector<std::size_t> name_offsets;
  std::size_t end = sizeof(Elf64_Ehdr) + kPadding;
  for (const Part& part : parts) {
    image.sections_.push_back({part.name, end, part.size});
    end += part.size + kPadding;
    name_offsets.push_back(names.size());
    names += part.name + '\0';
  }
  const std::size_t own_name = names.size();
  names += std::string(".shstrtab") + '\0';
  const std::size_t names_offset = end;
  end += names.size();
  end += alignof(Elf64_Shdr) - end % alignof(Elf64_Shdr);
  const std::size_t count = parts.size() + 2;
  image.size_ = end + count * sizeof(Elf64_Shdr) + kPadding;

  // Not a vector: the system's fresh pages are zero already, and there may be
  // gigabytes of them.
  image.bytes_.reset(static_cast<char*>(std::calloc(image.size_, 1)));
  if (image.bytes_ == nullptr) {
    return absl::ResourceExhaustedError("copy DWARF: not enough memory");
  }
  char* const bytes = image.bytes_.get();
  Store(FileHeader(end, count), bytes);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Section& section = image.sections_[i];
    // What cannot be filled stays as it is, zeros for the most part.
    (void)parts[i].fill({bytes + section.offset, section.size});
    Store(SectionHeader(SHT_PROGBITS, name_offsets[i], section.offset,
                        section.size),
          bytes + end + (i + 1) * sizeof(Elf64_Shdr));
  }
  std::copy(names.begin(), names.end(), bytes + names_offset);
  Store(SectionHeader(SHT_STRTAB, own_name, names_offset, names.size()),
        bytes + end + (count - 1) * sizeof(Elf64_Shdr));
  image.elf_.reset(elf_memory(bytes, image.size_));
  if (image.elf_ == nullptr) {
    return absl::InternalError(std::string("copy DWARF: ") + elf_errmsg(-1));
  }
  return image;
}

std::span<const char> DwarfImage::section(std::string_view name) const {
  for (const Section& section : sections_) {
    if (section.name == name) {
      return bytes().subspan(section.offset, section.size);
    }
  }
  return {};
}

void DwarfImage::Overwrite(std::string_view name, std::size_t offset,
                           std::span<const char> bytes) {
  const std::span<const char> place = section(name).subspan(offset);
  std::copy(bytes.begin(), bytes.end(),
            bytes_.get() + (place.data() - bytes_.get()));
}

}  // namespace heapledger::symbolizer
