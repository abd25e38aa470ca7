// SPDX-License-Identifier: Apache-2.0
// What /proc tells of a running process that helps to find its files. A process
// may end at any time, and its pid be another's: whoever opens what is named
// here checks that it is the right file.
//
// Thread safety: immutable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace heapledger::symbolizer {

class LiveProcess {
 public:
  // `pid` as /proc here counts.
  explicit LiveProcess(std::int64_t pid);

  // The pid here of the process that is `pid` in the pid namespace with the
  // inode number `pid_namespace` (0: this one) and began `start_time_ticks`
  // after boot; 0 if there is none, or none that may be looked into.
  static std::int64_t Find(std::int64_t pid, std::uint64_t pid_namespace,
                           std::uint64_t start_time_ticks);

  // "/proc/PID/root": where the process's own paths begin.
  std::string root() const { return proc_ + "/root"; }
  std::string exe_link() const { return proc_ + "/exe"; }
  // What exe_link() leads to, perhaps with " (deleted)"; empty if unknown.
  std::string exe() const;
  // As the process names it; empty if unknown.
  std::string working_directory() const;

  // "/proc/PID/map_files/…" for a mapping of `path` in [start, end); empty if
  // there is none. Opening it takes CAP_CHECKPOINT_RESTORE.
  std::string MappedFile(std::uint64_t start, std::uint64_t end,
                         std::string_view path) const;

  // A mapped file whose last part of the name is `name`, as the process names
  // it; empty if there is none.
  std::string MappedPathOf(std::string_view name) const;

 private:
  std::string proc_;
};

}  // namespace heapledger::symbolizer
