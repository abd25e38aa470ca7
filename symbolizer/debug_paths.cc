// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/debug_paths.h"

#include <algorithm>

namespace heapledger::symbolizer {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

// With its slash: "/usr/lib/" of "/usr/lib/libfoo.so".
std::string_view DirectoryOf(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "" : path.substr(0, slash + 1);
}

bool IsFileName(std::string_view text) {
  return !text.empty() && text != "." && text != ".." &&
         text.find('/') == std::string_view::npos;
}

}  // namespace

std::string ToHex(const void* bytes, std::size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const auto* byte = static_cast<const unsigned char*>(bytes);
  std::string hex;
  hex.reserve(2 * size);
  for (std::size_t i = 0; i < size; ++i) {
    hex.push_back(kDigits[byte[i] >> 4]);
    hex.push_back(kDigits[byte[i] & 15]);
  }
  return hex;
}

bool IsBuildId(std::string_view text) {
  return text.size() >= 4 && text.size() % 2 == 0 &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string BuildIdDebugPath(std::string_view debug_directory,
                             std::string_view build_id) {
  if (!IsBuildId(build_id)) return "";
  std::string path(debug_directory);
  path.append("/.build-id/")
      .append(build_id.substr(0, 2))
      .append("/")
      .append(build_id.substr(2))
      .append(".debug");
  return path;
}

std::vector<std::string> DebugLinkPaths(
    std::string_view module_path, std::string_view link,
    const std::vector<std::string>& debug_directories) {
  if (!module_path.starts_with('/') || !IsFileName(link)) return {};
  const std::string directory(DirectoryOf(module_path));
  const std::string name(link);
  std::vector<std::string> paths = {directory + name,
                                    directory + ".debug/" + name};
  for (const std::string& debug_directory : debug_directories) {
    paths.push_back(debug_directory + directory + name);
  }
  // A link that names the module itself leads nowhere.
  std::erase(paths, std::string(module_path));
  return paths;
}

std::string AltLinkPath(std::string_view debug_path, std::string_view link) {
  if (link.empty() || link.starts_with('/')) return std::string(link);
  return std::string(DirectoryOf(debug_path)).append(link);
}

bool IsDeletedPath(std::string_view path) { return path.ends_with(kDeleted); }

std::string_view StripDeleted(std::string_view path) {
  if (IsDeletedPath(path)) path.remove_suffix(kDeleted.size());
  return path;
}

std::string_view Basename(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace heapledger::symbolizer
