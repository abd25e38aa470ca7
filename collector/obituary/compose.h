// SPDX-License-Identifier: Apache-2.0
// Puts an obituary together from whatever there is: a collector that watched
// has all of it; without one there are the ledger, which says nothing of its
// end but that it came, and the kernel's log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collector/ledger/naming.h"
#include "collector/obituary/ending.h"
#include "collector/obituary/life.h"
#include "collector/obituary/obituary.h"
#include "collector/obituary/oom_report.h"
#include "collector/profile/hl_file.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::obituary {

struct DeathFacts {
  const LedgerSnapshot* snapshot = nullptr;  // the last; never null
  std::vector<HlMark> marks;
  std::optional<WaitStatus> wait;
  // Unix times. When it was seen to be gone, and, with `seen_to_die`, it had
  // been there a moment before.
  std::uint64_t noticed_ns = 0;
  bool seen_to_die = false;
  // The last trace of its life: that it was later is all that is known.
  std::uint64_t alive_at_least_ns = 0;
  const KernelDeaths* kernel = nullptr;  // may be null: cannot be read
  const Life* life = nullptr;            // null: nobody watched
  std::optional<HostState> host_after;
  std::string sealed_by;
};

[[nodiscard]] Obituary Compose(const DeathFacts& facts, FrameNames& names);

// The report that names a process as killed; null where there is none. Pids of
// the kernel's log are those of the first pid namespace; of a process elsewhere
// its name and the time must do.
[[nodiscard]] const OomReport* FindKill(const KernelDeaths& kernel,
                                        const LedgerIdentity& who,
                                        std::uint64_t not_after_ns);

}  // namespace heapledger::collector::obituary
