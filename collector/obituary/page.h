// SPDX-License-Identifier: Apache-2.0
// The death's part of the HTML page of a heap (WriteOptions::page_section):
// verdict, curve, suspects, who else was big, timeline. No script, no style of
// its own: it is what the page's policy lets through.
#pragma once

#include <string>
#include <vector>

#include "collector/obituary/obituary.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::obituary {

// `top` is TopOf the last view. Text in it is escaped.
[[nodiscard]] std::string PageSection(const LedgerSnapshot& snapshot,
                                      const Obituary& obituary,
                                      const std::vector<CallsiteFigure>& top);

// The history as an <svg> element: live heap, resident memory and the cgroup's
// usage over time, with marks and what else happened as lines. Empty where the
// history has fewer than two moments.
[[nodiscard]] std::string CurveSvg(const Obituary& obituary);

}  // namespace heapledger::collector::obituary
