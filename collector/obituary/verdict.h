// SPDX-License-Identifier: Apache-2.0
// Why a process died and what held its memory, as one sentence, from its
// obituary and its last snapshot.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "collector/ledger/process_account.h"
#include "collector/obituary/obituary.h"
#include "collector/obituary/rise.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::obituary {

// The largest callsites of a view, most live bytes first.
[[nodiscard]] std::vector<CallsiteFigure> TopOf(const ProcessView& view,
                                                std::size_t count);

// How a callsite grew up to the end; none where the history does not say.
[[nodiscard]] std::optional<Rise> RiseOf(const Obituary& obituary,
                                         const std::string& callsite);

// "killed by the kernel's OOM killer of memory cgroup /x at
// 2026-11-23T12:03:04Z (limit 256.0 MiB)", after "was".
[[nodiscard]] std::string HowItDied(const Obituary& obituary);

// "redis-server (pid 123) was killed …; Cache::put (cache.cc:42) held 201.3
// MiB, 78 % of its live heap, and grew by 1.2 MiB/s for 140 s", without a full
// stop. `top` is TopOf the last view.
[[nodiscard]] std::string Verdict(const LedgerSnapshot& snapshot,
                                  const Obituary& obituary,
                                  const std::vector<CallsiteFigure>& top);

}  // namespace heapledger::collector::obituary
