// SPDX-License-Identifier: Apache-2.0
// A .dwp file: the split units of a program in one, with an index by their ids
// (DWARF 5 section 7.3.5, and GNU's version of it for DWARF 4). libdw 0.188
// cannot read one; each unit is taken out and made a .dwo file of its own.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "symbolizer/dwarf_image.h"
#include "symbolizer/elf_file.h"

namespace heapledger::symbolizer {

class SplitPackage {
 public:
  static absl::StatusOr<SplitPackage> Read(const ElfFile& file);

  bool Has(std::uint64_t unit_id) const { return rows_.count(unit_id) > 0; }
  // The unit as a .dwo file. REQUIRES: Has(unit_id).
  absl::StatusOr<DwarfImage> Extract(std::uint64_t unit_id) const;

 private:
  // A unit's part of each section that we use.
  struct Row {
    std::span<const char> info;
    std::span<const char> abbrev;
    std::span<const char> str_offsets;
    std::span<const char> rnglists;
  };

  explicit SplitPackage(DwarfImage image) : image_(std::move(image)) {}
  bool ReadIndex();

  DwarfImage image_;
  std::unordered_map<std::uint64_t, Row> rows_;  // views into image_
};

}  // namespace heapledger::symbolizer
