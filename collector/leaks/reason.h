// SPDX-License-Identifier: Apache-2.0
// Evidence in words: one sentence each, with its figures and no verdict.
#pragma once

#include <span>
#include <string>

#include "collector/leaks/age_evidence.h"
#include "collector/leaks/growth_evidence.h"
#include "collector/leaks/process_leaks.h"
#include "collector/leaks/unreachable_evidence.h"

namespace heapledger::collector {

// Whether the figures are scaled up from samples, which makes bounds estimates.
enum class Figures { kExact, kEstimated };

// Without a full stop.
[[nodiscard]] std::string ReasonOf(const GrowthEvidence& growth,
                                   Figures figures);
[[nodiscard]] std::string ReasonOf(const AgeEvidence& age, Figures figures);
[[nodiscard]] std::string ReasonOf(const UnreachableEvidence& unreachable);

// Of a process that grows, with the suspects that carry the growth.
// REQUIRES: trend.growth.
[[nodiscard]] std::string ReasonOf(const TrendView& trend,
                                   std::span<const Suspect> suspects,
                                   Figures figures);

}  // namespace heapledger::collector
