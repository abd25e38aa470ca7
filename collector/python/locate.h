// SPDX-License-Identifier: Apache-2.0
// Finds CPython in a process: the file that brings it, the executable or a
// libpython, and where its symbols lie in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "collector/shm/python_figures.h"

namespace heapledger::collector::python {

// A file that may bring CPython, as /proc/PID/maps shows it.
struct Candidate {
  std::string path;
  std::uint64_t start = 0;  // where its beginning is mapped

  friend bool operator==(const Candidate&, const Candidate&) = default;
};

// libpython where one is mapped, else the executable `exe`; none where neither
// is mapped from its beginning. Any text is fine.
[[nodiscard]] std::optional<Candidate> FindCandidate(std::string_view maps,
                                                     std::string_view exe);

// "3.10" of "libpython3.10.so.1.0" or "/usr/bin/python3.10"; zeros where the
// name says nothing. For versions that have no Py_Version.
[[nodiscard]] PythonVersion VersionInName(std::string_view path);

struct Location {
  std::uint64_t runtime = 0;       // _PyRuntime
  std::uint64_t version_word = 0;  // Py_Version; 0 before 3.11
  PythonVersion named_version;     // else the version by the file's name
};

// Looks into the process' files. NotFound where it has no CPython that can be
// seen; the process may load it later. PermissionDenied where it may not be
// looked into.
[[nodiscard]] absl::StatusOr<Location> Locate(std::uint32_t pid);

}  // namespace heapledger::collector::python
