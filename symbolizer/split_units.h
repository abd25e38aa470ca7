// SPDX-License-Identifier: Apache-2.0
// Split DWARF: a skeleton unit in the program names a .dwo file, which has the
// functions, or they lie in the program's .dwp file.
//
// libdw would find and open .dwo files by itself: by names that the target
// chose, pipes and all, unchecked and mapped. So it never gets to see the
// program's skeletons. It sees ours, which say the same of the unit but name a
// memory file, and in that is a checked copy of the split unit.
#pragma once

#include <elfutils/libdw.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "symbolizer/dwarf_image.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/split_package.h"

namespace heapledger::symbolizer {

class SplitUnits {
 public:
  // `program` has the skeletons; `module_path` is where the module itself lies
  // below the same root, if that is another file.
  SplitUnits(const ElfFile& program, std::string module_path);

  // Makes a skeleton of ours from one of the program's. Returns its number,
  // or nothing if `unit` is no skeleton. `unit_id` as libdw has it.
  std::optional<std::size_t> Add(const Dwarf_Die& unit, std::uint64_t unit_id);

  // The unit with the functions; nothing if it cannot be found. `program` is
  // the image with the skeletons. Valid as long as this object.
  // REQUIRES: nothing is added after the first call.
  std::optional<Dwarf_Die> Open(std::size_t number, const DwarfImage& program);

 private:
  struct Skeleton {
    std::uint64_t id;
    std::string dwo_path;     // as the compiler wrote it, absolute if it can be
    std::string dwo_name;     // as the compiler wrote it
    std::size_t name_offset;  // of the memory file's name, in info_
  };
  struct DwarfDeleter {
    void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
  };

  bool BuildSkeletons(const DwarfImage& program);
  void FindPackage();
  std::optional<DwarfImage> FindUnit(const Skeleton& skeleton);
  std::optional<DwarfImage> FindFile(const Skeleton& skeleton) const;

  std::string root_;
  std::vector<std::string> package_paths_;
  std::vector<std::string> directories_;  // of the program and of the module
  std::string info_;                      // our skeletons, as .debug_info
  std::vector<Skeleton> skeletons_;
  bool package_sought_ = false;
  std::optional<SplitPackage> package_;

  // The order matters: dwarf_ refers to image_.
  std::optional<DwarfImage> image_;
  std::unique_ptr<Dwarf, DwarfDeleter> dwarf_;
  std::vector<Dwarf_Die> dies_;  // by number
};

}  // namespace heapledger::symbolizer
