// SPDX-License-Identifier: Apache-2.0
// Evidence in words: one sentence each, with its figures and no verdict.
#pragma once

#include <string>

#include "collector/leaks/age_evidence.h"
#include "collector/leaks/growth_evidence.h"
#include "collector/leaks/unreachable_evidence.h"

namespace heapledger::collector {

// Whether the figures are scaled up from samples, which makes bounds estimates.
enum class Figures { kExact, kEstimated };

// Without a full stop.
[[nodiscard]] std::string ReasonOf(const GrowthEvidence& growth,
                                   Figures figures);
[[nodiscard]] std::string ReasonOf(const AgeEvidence& age, Figures figures);
[[nodiscard]] std::string ReasonOf(const UnreachableEvidence& unreachable);

}  // namespace heapledger::collector
