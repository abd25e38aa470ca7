// SPDX-License-Identifier: Apache-2.0
// Separate debug information on this machine: by build id, by .gnu_debuglink,
// by .gnu_debugaltlink. A file is returned only if it proves to belong to the
// module: same build id, or the CRC that the link holds.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/elf_file.h"

namespace heapledger::symbolizer {

class DebugFileFinder {
 public:
  // Looks below `root` first, then on this machine.
  DebugFileFinder(std::string root, std::vector<std::string> debug_directories);

  // Another place to look below, before all others.
  void AddRoot(std::string root);

  std::optional<ElfFile> ByBuildId(std::string_view build_id) const;
  std::optional<ElfFile> ByDebugLink(const ElfFile& module) const;

  // What several debug files of a package share, put there by dwz.
  std::optional<ElfFile> ByAltLink(const ElfFile& debug_file,
                                   std::string_view link,
                                   std::string_view build_id) const;

 private:
  std::vector<std::string> roots_;
  std::vector<std::string> debug_directories_;
};

}  // namespace heapledger::symbolizer
