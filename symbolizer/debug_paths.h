// SPDX-License-Identifier: Apache-2.0
// Where separate debug files may lie: names only, nothing is opened here. The
// inputs come from files of the target, so none may lead out of the place it
// is meant for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace heapledger::symbolizer {

std::string ToHex(const void* bytes, std::size_t size);

// Whether `text` is lower-case hex of two bytes at least.
bool IsBuildId(std::string_view text);

// "/usr/lib/debug/.build-id/12/34ab.debug"; empty if `build_id` is none.
std::string BuildIdDebugPath(std::string_view debug_directory,
                             std::string_view build_id);

// The candidates of a .gnu_debuglink in `module_path`, in GDB's order: beside
// the module, in .debug/ beside it, below each debug directory. None if `link`
// is not a plain file name, or `module_path` is not absolute.
std::vector<std::string> DebugLinkPaths(
    std::string_view module_path, std::string_view link,
    const std::vector<std::string>& debug_directories);

// Where the .gnu_debugaltlink `link` of the file `debug_path` points: itself
// if absolute, else from the file's directory.
std::string AltLinkPath(std::string_view debug_path, std::string_view link);

// The kernel appends " (deleted)" to the path of a file that was unlinked or
// replaced.
bool IsDeletedPath(std::string_view path);
std::string_view StripDeleted(std::string_view path);

std::string_view Basename(std::string_view path);

}  // namespace heapledger::symbolizer
