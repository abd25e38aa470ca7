// SPDX-License-Identifier: Apache-2.0
// What a person is told of the figures' kind: exact or estimated, of the whole
// life or of a part, with whole stacks or cut ones.
#pragma once

#include <cstdint>
#include <string>

#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

// "~" before figures and headings that are estimates, else "".
[[nodiscard]] std::string AboutSign(const LedgerSnapshot& snapshot);

// "full stacks", "adaptive stacks (budget 3%)"
[[nodiscard]] std::string StacksText(const LedgerSnapshot& snapshot);

// Lines of a report's header, each with its end; none for a process that is
// exact, with whole stacks, since its start.
[[nodiscard]] std::string ModeLines(const LedgerSnapshot& snapshot);

// The same as parts of one line, each behind "; ".
[[nodiscard]] std::string ModeRemarks(const LedgerSnapshot& snapshot);

}  // namespace heapledger::collector::cli
