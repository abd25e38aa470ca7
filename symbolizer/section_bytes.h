// SPDX-License-Identifier: Apache-2.0
// The bytes of one section as they were before the linker compressed them:
// SHF_COMPRESSED with zlib or zstd, or ".zdebug_…" of old. Read straight into
// place, for debug sections are as large as a file gets.
#pragma once

#include <gelf.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "symbolizer/regular_file.h"

namespace heapledger::symbolizer {

class SectionBytes {
 public:
  // Nothing if the section lies outside the file, claims more than `max_bytes`
  // or is compressed in an unknown way. `file` must outlive this object.
  static std::optional<SectionBytes> Of(const RegularFile& file, int elf_class,
                                        const GElf_Shdr& header,
                                        std::string_view name,
                                        std::uint64_t max_bytes);

  std::size_t size() const { return size_; }

  // REQUIRES: out.size() == size(). Returns whether it could be filled.
  bool ReadInto(std::span<char> out) const;

 private:
  enum class Packing { kNone, kZlib, kZstd };

  explicit SectionBytes(const RegularFile& file) : file_(&file) {}
  bool ReadCompressionHeader(int elf_class);
  bool ReadGnuHeader();

  const RegularFile* file_;
  Packing packing_ = Packing::kNone;
  std::uint64_t offset_ = 0;  // in the file
  std::uint64_t packed_ = 0;  // bytes there
  std::size_t size_ = 0;
};

}  // namespace heapledger::symbolizer
