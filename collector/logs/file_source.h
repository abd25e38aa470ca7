// SPDX-License-Identifier: Apache-2.0
// Log files that match a pattern of the shell's, such as /var/log/app*.log, or
// one file; followed through everything that is done to logs:
//  - renamed and made anew: the old file is read to its end, then the new one
//    from its start. A file is known by device and inode, so that under its new
//    name, if that matches as well, it is not read again;
//  - copied and truncated: reading begins again at the start. A file that has
//    grown past the place before we looked is found out by the bytes before
//    that place, which are then others;
//  - deleted: what is still written to it is read until nothing comes for a
//    while;
//  - not there yet: it is waited for.
// Files that are there at first are read from their end (or start, if asked
// for), those that come later from their start. Holes are passed over, so a
// sparse file costs what is written in it.
//
// Only regular files are opened: a pipe or a device could hold us up.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "collector/logs/log_source.h"

namespace heapledger::collector::logs {

struct FileSourceOptions {
  ReadFrom from = ReadFrom::kEnd;
  std::size_t max_files = 256;  // those above are passed over and said
  // How long a file that is gone is still looked at after its last byte.
  std::chrono::milliseconds linger = std::chrono::seconds(10);
};

[[nodiscard]] std::unique_ptr<LogSource> MakeFileSource(
    const std::string& pattern, const FileSourceOptions& options);

}  // namespace heapledger::collector::logs
