// SPDX-License-Identifier: Apache-2.0
// Whether a process leaks, as a baseline asks: also what the user knows of is
// no normal memory, what they suppressed is.
#pragma once

#include <algorithm>

#include "collector/baseline/learner.h"
#include "collector/leaks/process_leaks.h"

namespace heapledger::collector::cli {

[[nodiscard]] inline baseline::Growth GrowthOf(const ProcessLeakView& leaks) {
  const bool grows =
      std::ranges::any_of(leaks.suspects, [](const Suspect& suspect) {
        return suspect.state != SuspectState::kSuppressed;
      });
  return grows ? baseline::Growth::kSuspected : baseline::Growth::kNone;
}

}  // namespace heapledger::collector::cli
