// SPDX-License-Identifier: Apache-2.0
// An opened ELF file: its identity, its pointers to other files.
// Read with pread and never mapped: a file that shrinks while it is mapped
// would end us with SIGBUS, and it may be the target's own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "symbolizer/regular_file.h"

struct Elf;

namespace heapledger::symbolizer {

// A .gnu_debuglink; `file` is empty if there is none.
struct DebugLink {
  std::string file;
  std::uint32_t crc = 0;
};

class ElfFile {
 public:
  static absl::StatusOr<ElfFile> Open(std::string_view root,
                                      std::string_view path);

  // As a person would open it, `root` included.
  const std::string& path() const { return path_; }
  // Path without `root`.
  std::string_view path_in_root() const;
  const std::string& root() const { return root_; }
  // Lower-case hex; empty if there is none.
  const std::string& build_id() const { return build_id_; }
  const DebugLink& debug_link() const { return debug_link_; }
  bool has_debug_info() const { return has_debug_info_; }
  bool has_mini_debug_info() const { return has_mini_debug_info_; }
  const RegularFile& file() const { return file_; }

  // Valid as long as this object or one that it was moved to.
  Elf* elf() const { return elf_.get(); }

 private:
  struct ElfDeleter {
    void operator()(Elf* elf) const;
  };

  ElfFile(std::string root, std::string path, RegularFile file,
          std::unique_ptr<Elf, ElfDeleter> elf);

  void ReadSections();

  std::string root_;
  std::string path_;
  RegularFile file_;
  std::unique_ptr<Elf, ElfDeleter> elf_;  // reads file_ when it needs to
  std::string build_id_;
  DebugLink debug_link_;
  bool has_debug_info_ = false;
  bool has_mini_debug_info_ = false;
};

}  // namespace heapledger::symbolizer
