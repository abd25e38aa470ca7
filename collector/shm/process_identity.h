// SPDX-License-Identifier: Apache-2.0
// Whether the process that a ledger names still runs. A pid alone says nothing:
// it may have been given to another process since, or be another namespace's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "collector/shm/snapshot.h"

namespace heapledger::collector {

enum class Liveness {
  kAlive,
  kDead,
  kOtherImage,  // alive, but another program took over by exec, unmeasured
  kUnknown,     // of a pid namespace that we cannot look into
};

struct ProcessStat {
  std::uint64_t start_time_ticks = 0;
  char run_state = '?';  // field 3: 'Z' and 'X' are dead
  std::uint32_t parent_pid = 0;
  std::string comm;
};

// Fields of <proc_root>/<pid>/stat; none if there is no such process.
[[nodiscard]] std::optional<ProcessStat> ReadProcessStat(
    const std::string& proc_root, std::uint32_t pid);

// Empty if it cannot be read.
[[nodiscard]] std::string ReadBootId(const std::string& proc_root);

// Whether a running process has the shim loaded; false where its mappings
// cannot be read.
[[nodiscard]] bool MapsShim(const std::string& proc_root, std::uint32_t pid);

[[nodiscard]] Liveness LivenessOf(const std::string& proc_root,
                                  const LedgerIdentity& identity);

// The state to show for a ledger that says `written`.
[[nodiscard]] ProcessState JudgeState(ProcessState written, Liveness liveness);

}  // namespace heapledger::collector
