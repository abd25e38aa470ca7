// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/debug_file_finder.h"

#include <utility>

#include "symbolizer/debug_paths.h"

namespace heapledger::symbolizer {
namespace {

std::optional<ElfFile> OpenWithBuildId(std::string_view root,
                                       std::string_view path,
                                       std::string_view build_id) {
  if (path.empty()) return std::nullopt;
  absl::StatusOr<ElfFile> file = ElfFile::Open(root, path);
  if (!file.ok() || file->build_id() != build_id) return std::nullopt;
  return *std::move(file);
}

// Equal build ids settle it without reading the whole file for its CRC.
bool BelongsTo(const ElfFile& debug_file, const ElfFile& module) {
  if (!debug_file.build_id().empty() && !module.build_id().empty()) {
    return debug_file.build_id() == module.build_id();
  }
  const absl::StatusOr<std::uint32_t> crc = debug_file.file().Crc32();
  return crc.ok() && *crc == module.debug_link().crc;
}

}  // namespace

DebugFileFinder::DebugFileFinder(std::string root,
                                 std::vector<std::string> debug_directories)
    : debug_directories_(std::move(debug_directories)) {
  if (!root.empty()) roots_.push_back(std::move(root));
  roots_.emplace_back();
}

void DebugFileFinder::AddRoot(std::string root) {
  roots_.insert(roots_.begin(), std::move(root));
}

std::optional<ElfFile> DebugFileFinder::ByBuildId(
    std::string_view build_id) const {
  for (const std::string& root : roots_) {
    for (const std::string& directory : debug_directories_) {
      auto file = OpenWithBuildId(root, BuildIdDebugPath(directory, build_id),
                                  build_id);
      if (file) return file;
    }
  }
  return std::nullopt;
}

std::optional<ElfFile> DebugFileFinder::ByDebugLink(
    const ElfFile& module) const {
  const std::vector<std::string> paths = DebugLinkPaths(
      module.path_in_root(), module.debug_link().file, debug_directories_);
  for (const std::string& root : roots_) {
    for (const std::string& path : paths) {
      absl::StatusOr<ElfFile> file = ElfFile::Open(root, path);
      if (file.ok() && BelongsTo(*file, module)) return *std::move(file);
    }
  }
  return std::nullopt;
}

std::optional<ElfFile> DebugFileFinder::ByAltLink(
    const ElfFile& debug_file, std::string_view link,
    std::string_view build_id) const {
  if (auto file = ByBuildId(build_id)) return file;
  return OpenWithBuildId(debug_file.root(),
                         AltLinkPath(debug_file.path_in_root(), link),
                         build_id);
}

}  // namespace heapledger::symbolizer
