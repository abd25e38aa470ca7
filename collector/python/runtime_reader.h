// SPDX-License-Identifier: Apache-2.0
// Reads what a running CPython knows of its garbage collector, from outside.
//
// The interpreter goes on meanwhile, and its memory is not to be trusted: every
// address is only ever handed to Memory, and what is found is checked against
// a pointer that a collector always has to itself.
//
// Thread safety: pure.
#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "collector/python/memory.h"
#include "collector/shm/python_figures.h"

namespace heapledger::collector::python {

struct Runtime {
  PythonVersion version;
  bool collector_enabled = false;
  // Of the main interpreter.
  std::array<PythonCollections, kPythonGenerationCount> generations;
  std::uint32_t interpreters = 0;  // with the main one; at most kMost
};

inline constexpr std::uint32_t kMostInterpreters = 64;

// `runtime` is where _PyRuntime lies; `version` is what is known of the version
// before, or zeros. Unimplemented for a version or build that cannot be read,
// FailedPrecondition before the interpreter is initialized, DataLoss where what
// is there is no interpreter, and Memory's own errors.
[[nodiscard]] absl::StatusOr<Runtime> ReadRuntime(const Memory& memory,
                                                  std::uint64_t runtime,
                                                  const PythonVersion& version);

}  // namespace heapledger::collector::python
