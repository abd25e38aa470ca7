// SPDX-License-Identifier: Apache-2.0
// A copy of a file's DWARF sections that libdw may be let loose on: an ELF
// image in our own memory with only the sections that lookups need,
// decompressed, each followed by zeros. libdw trusts strings to end within
// their section (seen in 0.188: .debug_line_str); in the copy they do. And
// the file may change or go away.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "symbolizer/elf_file.h"

struct Elf;

namespace heapledger::symbolizer {

class DwarfImage {
 public:
  // The sections of linked code, or those of a .dwo or .dwp file.
  enum class Kind { kLinked, kSplit };
  static absl::StatusOr<DwarfImage> Copy(const ElfFile& file,
                                         Kind kind = Kind::kLinked);

  // A section to be made. `fill` puts `size` bytes in place, where zeros are,
  // and says whether it could.
  struct Part {
    std::string name;
    std::size_t size;
    std::function<bool(std::span<char>)> fill;
  };
  static absl::StatusOr<DwarfImage> Build(std::vector<Part> parts);
  // A part with these bytes, which must outlive the call of Build().
  static Part PartOf(std::string name, std::span<const char> bytes);

  // Empty if there is none.
  std::span<const char> section(std::string_view name) const;
  // Changes bytes of a section. REQUIRES: they lie inside it.
  void Overwrite(std::string_view name, std::size_t offset,
                 std::span<const char> bytes);
  // The whole ELF file.
  std::span<const char> bytes() const { return {bytes_.get(), size_}; }

  // Valid as long as this object or one that it was moved to.
  Elf* elf() const { return elf_.get(); }

 private:
  struct ElfDeleter {
    void operator()(Elf* elf) const;
  };
  struct FreeDeleter {
    void operator()(char* p) const { std::free(p); }
  };
  struct Section {
    std::string name;
    std::size_t offset;
    std::size_t size;
  };

  DwarfImage() = default;

  std::unique_ptr<char[], FreeDeleter> bytes_;
  std::size_t size_ = 0;
  std::vector<Section> sections_;
  std::unique_ptr<Elf, ElfDeleter> elf_;  // reads bytes_
};

}  // namespace heapledger::symbolizer
