// SPDX-License-Identifier: Apache-2.0
// What the system says of a process beside its ledger, for the facts of a
// snapshot file: kernel, page size, resident memory, cgroup limit. Reads a few
// small files of /proc; nothing that walks the process' memory map.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

// {"kernel", "page_bytes", "resident_bytes", …}; of a process that is gone only
// the first two. Never its arguments, environment or the host's name.
[[nodiscard]] nlohmann::ordered_json SystemFacts(
    const LedgerSnapshot& snapshot, const std::string& proc_root = "/proc",
    const std::string& cgroup_root = "/sys/fs/cgroup");

}  // namespace heapledger::collector::cli
