// SPDX-License-Identifier: Apache-2.0
// Processes that belong together: a pre-fork server and its workers, a pool.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/shm/discovery.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

using Family = std::vector<std::shared_ptr<const LedgerSnapshot>>;

// Of a pid the process and those that come from it by forks, or that are its
// children now; of a name every process of the name. The last image of each;
// the running ones where any runs. By pid. NotFound as FindLedger() has it.
[[nodiscard]] absl::StatusOr<Family> FindFamily(const DiscoveryOptions& options,
                                                const std::string& what);

// The same choice among ledgers that were read. `parent_of` gives the pid of a
// running process' parent, 0 where unknown.
[[nodiscard]] Family FamilyOf(
    const Family& all, const std::string& what,
    const std::function<std::uint32_t(std::uint32_t)>& parent_of);

}  // namespace heapledger::collector::cli
