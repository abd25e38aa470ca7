// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/split_units.h"

#include <dwarf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>
#include <utility>

#include "symbolizer/debug_paths.h"

namespace heapledger::symbolizer {
namespace {

// "/proc/self/fd/0000000012": always as long, so that it can be filled in.
constexpr std::size_t kNameBytes = 32;

// Abbreviations of our skeletons: 1 for DWARF 5, 2 for DWARF 4 as GNU had it.
// The tags and attributes of GNU take two bytes each in LEB128.
constexpr std::array<unsigned char, 35> kAbbreviations = {
    1,
    DW_TAG_skeleton_unit,
    0,  //
    DW_AT_low_pc,
    DW_FORM_addr,  //
    DW_AT_addr_base,
    DW_FORM_sec_offset,  //
    DW_AT_dwo_name,
    DW_FORM_string,  //
    0,
    0,  //
    2,
    DW_TAG_compile_unit,
    0,  //
    DW_AT_low_pc,
    DW_FORM_addr,  //
    0xb3,
    0x42 /* DW_AT_GNU_addr_base */,
    DW_FORM_sec_offset,  //
    0xb2,
    0x42 /* DW_AT_GNU_ranges_base */,
    DW_FORM_sec_offset,  //
    0xb1,
    0x42 /* DW_AT_GNU_dwo_id */,
    DW_FORM_data8,  //
    0xb0,
    0x42 /* DW_AT_GNU_dwo_name */,
    DW_FORM_string,  //
    0,
    0,  //
    0,
    0,
    0,
    0};

template <typename Number>
void Put(Number number, std::string& bytes) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

std::string Text(Dwarf_Die die, unsigned int attribute) {
  Dwarf_Attribute value;
  if (dwarf_attr(&die, attribute, &value) == nullptr) return "";
  const char* text = dwarf_formstring(&value);
  return text == nullptr ? "" : text;
}

std::uint32_t Offset(Dwarf_Die die, unsigned int attribute) {
  Dwarf_Attribute value;
  Dwarf_Word offset = 0;
  if (dwarf_attr(&die, attribute, &value) == nullptr ||
      dwarf_formudata(&value, &offset) != 0 || offset > 0xffffffff) {
    return 0;
  }
  return static_cast<std::uint32_t>(offset);
}

std::uint64_t LowPc(Dwarf_Die die) {
  Dwarf_Addr address = 0;
  return dwarf_lowpc(&die, &address) == 0 ? address : 0;
}

// A memory file with these bytes; -1 if there is none to be had.
int MemoryFile(std::span<const char> bytes) {
  const int descriptor = memfd_create("split-unit", MFD_CLOEXEC);
  while (descriptor >= 0 && !bytes.empty()) {
    const ssize_t n = write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      close(descriptor);
      return -1;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return descriptor;
}

}  // namespace

SplitUnits::SplitUnits(const ElfFile& program, std::string module_path)
    : root_(program.root()) {
  for (std::string path :
       {std::string(program.path_in_root()), std::move(module_path)}) {
    if (path.empty()) continue;
    directories_.push_back(path.substr(0, path.rfind('/') + 1));
    package_paths_.push_back(path + ".dwp");
    if (path.ends_with(".debug")) {
      path.resize(path.size() - std::strlen(".debug"));
      package_paths_.push_back(path + ".dwp");
    }
  }
}

std::optional<std::size_t> SplitUnits::Add(const Dwarf_Die& unit,
                                           std::uint64_t unit_id) {
  Dwarf_Die die = unit;
  std::string name = Text(die, DW_AT_dwo_name);
  const bool is_gnu = name.empty();
  if (is_gnu) name = Text(die, DW_AT_GNU_dwo_name);
  if (name.empty()) return std::nullopt;

  std::string body;
  if (is_gnu) {
    Put<std::uint16_t>(4, body);
    Put<std::uint32_t>(0, body);  // where the abbreviations are
    Put<std::uint8_t>(8, body);
    Put<std::uint8_t>(2, body);
    Put<std::uint64_t>(LowPc(die), body);
    Put<std::uint32_t>(Offset(die, DW_AT_GNU_addr_base), body);
    Put<std::uint32_t>(Offset(die, DW_AT_GNU_ranges_base), body);
    Put<std::uint64_t>(unit_id, body);
  } else {
    Put<std::uint16_t>(5, body);
    Put<std::uint8_t>(DW_UT_skeleton, body);
    Put<std::uint8_t>(8, body);
    Put<std::uint32_t>(0, body);
    Put<std::uint64_t>(unit_id, body);
    Put<std::uint8_t>(1, body);
    Put<std::uint64_t>(LowPc(die), body);
    Put<std::uint32_t>(Offset(die, DW_AT_addr_base), body);
  }
  body.append(kNameBytes, '\0');
  Put<std::uint32_t>(static_cast<std::uint32_t>(body.size()), info_);
  info_ += body;

  Skeleton skeleton{unit_id, name, name, info_.size() - kNameBytes};
  if (!name.starts_with('/')) {
    skeleton.dwo_path = Text(die, DW_AT_comp_dir) + "/" + name;
  }
  skeletons_.push_back(std::move(skeleton));
  return skeletons_.size() - 1;
}

bool SplitUnits::BuildSkeletons(const DwarfImage& program) {
  if (image_) return dwarf_ != nullptr;
  const std::span<const char> abbreviations(
      reinterpret_cast<const char*>(kAbbreviations.data()),
      kAbbreviations.size());
  absl::StatusOr<DwarfImage> image = DwarfImage::Build(
      {DwarfImage::PartOf(".debug_info", info_),
       DwarfImage::PartOf(".debug_abbrev", abbreviations),
       DwarfImage::PartOf(".debug_addr", program.section(".debug_addr")),
       DwarfImage::PartOf(".debug_ranges", program.section(".debug_ranges"))});
  if (!image.ok()) return false;
  image_ = *std::move(image);
  dwarf_.reset(dwarf_begin_elf(image_->elf(), DWARF_C_READ, nullptr));
  Dwarf_CU* unit = nullptr;
  Dwarf_Die die{};
  // No split units are asked for, so libdw reads no name yet.
  while (dwarf_ != nullptr &&
         dwarf_get_units(dwarf_.get(), unit, &unit, nullptr, nullptr, &die,
                         nullptr) == 0) {
    dies_.push_back(die);
  }
  if (dies_.size() != skeletons_.size()) dwarf_.reset();
  return dwarf_ != nullptr;
}

void SplitUnits::FindPackage() {
  package_sought_ = true;
  for (const std::string& path : package_paths_) {
    const auto file = ElfFile::Open(root_, path);
    if (!file.ok()) continue;
    auto package = SplitPackage::Read(*file);
    if (!package.ok()) continue;
    package_.emplace(*std::move(package));
    return;
  }
}

std::optional<DwarfImage> SplitUnits::FindUnit(const Skeleton& skeleton) {
  if (!package_sought_) FindPackage();
  if (package_ && package_->Has(skeleton.id)) {
    auto image = package_->Extract(skeleton.id);
    if (image.ok()) return *std::move(image);
  }
  return FindFile(skeleton);
}

// That it is the right file its unit's id tells, which libdw compares.
std::optional<DwarfImage> SplitUnits::FindFile(const Skeleton& skeleton) const {
  std::vector<std::string> paths = {skeleton.dwo_path};
  for (const std::string& directory : directories_) {
    paths.push_back(directory + skeleton.dwo_name);
    paths.push_back(directory + std::string(Basename(skeleton.dwo_name)));
  }
  for (const std::string& path : paths) {
    const auto file = ElfFile::Open(root_, path);
    if (!file.ok()) continue;
    auto image = DwarfImage::Copy(*file, DwarfImage::Kind::kSplit);
    if (image.ok()) return *std::move(image);
  }
  return std::nullopt;
}

std::optional<Dwarf_Die> SplitUnits::Open(std::size_t number,
                                          const DwarfImage& program) {
  if (!BuildSkeletons(program)) return std::nullopt;
  const Skeleton& skeleton = skeletons_[number];
  const std::optional<DwarfImage> unit = FindUnit(skeleton);
  const int descriptor = unit ? MemoryFile(unit->bytes()) : -1;
  if (descriptor < 0) return std::nullopt;
  char name[kNameBytes];
  std::snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
  image_->Overwrite(".debug_info", skeleton.name_offset, name);
  Dwarf_Die split{};
  const int result = dwarf_cu_info(dies_[number].cu, nullptr, nullptr, nullptr,
                                   &split, nullptr, nullptr, nullptr);
  // libdw has mapped it.
  close(descriptor);
  if (result != 0 || split.addr == nullptr) return std::nullopt;
  return split;
}

}  // namespace heapledger::symbolizer
