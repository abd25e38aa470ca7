// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/elf_file.h"

#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <libelf.h>

#include <utility>

#include "absl/status/status.h"
#include "symbolizer/debug_paths.h"

namespace heapledger::symbolizer {
namespace {

// SHA-1 has 20 bytes; ld accepts any number given by hand.
constexpr ssize_t kMaxBuildIdBytes = 64;

// A section is read into memory whole, and a sparse file costs its owner
// nothing. The largest debug files of this world (browsers) have some 6 GiB.
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{8} << 30;

}  // namespace

void ElfFile::ElfDeleter::operator()(Elf* elf) const { elf_end(elf); }

ElfFile::ElfFile(std::string root, std::string path, RegularFile file,
                 std::unique_ptr<Elf, ElfDeleter> elf)
    : root_(std::move(root)),
      path_(std::move(path)),
      file_(std::move(file)),
      elf_(std::move(elf)) {}

absl::StatusOr<ElfFile> ElfFile::Open(std::string_view root,
                                      std::string_view path) {
  absl::StatusOr<RegularFile> file = RegularFile::Open(root, path);
  if (!file.ok()) return file.status();
  std::string name = std::string(root).append(path);
  if (file->size() > kMaxFileBytes) {
    return absl::DataLossError("open " + name + ": larger than 8 GiB");
  }
  elf_version(EV_CURRENT);
  std::unique_ptr<Elf, ElfDeleter> elf(
      elf_begin(file->descriptor(), ELF_C_READ, nullptr));
  GElf_Ehdr header;
  if (elf == nullptr || elf_kind(elf.get()) != ELF_K_ELF ||
      gelf_getehdr(elf.get(), &header) == nullptr) {
    return absl::DataLossError("open " + name + ": not an ELF file");
  }
  ElfFile result(std::string(root), std::move(name), *std::move(file),
                 std::move(elf));
  result.ReadSections();
  return result;
}

std::string_view ElfFile::path_in_root() const {
  return std::string_view(path_).substr(root_.size());
}

void ElfFile::ReadSections() {
  const void* id = nullptr;
  const ssize_t id_size = dwelf_elf_gnu_build_id(elf_.get(), &id);
  if (id_size > 0 && id_size <= kMaxBuildIdBytes) {
    build_id_ = ToHex(id, static_cast<std::size_t>(id_size));
  }
  GElf_Word crc = 0;
  const char* link = dwelf_elf_gnu_debuglink(elf_.get(), &crc);
  if (link != nullptr) debug_link_ = {link, crc};

  std::size_t names = 0;
  if (elf_getshdrstrndx(elf_.get(), &names) != 0) return;
  for (Elf_Scn* scn = elf_nextscn(elf_.get(), nullptr); scn != nullptr;
       scn = elf_nextscn(elf_.get(), scn)) {
    GElf_Shdr header{};
    if (gelf_getshdr(scn, &header) == nullptr) continue;
    if (header.sh_type == SHT_NOBITS || header.sh_size == 0) continue;
    const char* name = elf_strptr(elf_.get(), names, header.sh_name);
    if (name == nullptr) continue;
    const std::string_view section = name;
    if (section == ".debug_info" || section == ".zdebug_info") {
      has_debug_info_ = true;
    } else if (section == ".gnu_debugdata") {
      has_mini_debug_info_ = true;
    }
  }
}

}  // namespace heapledger::symbolizer
