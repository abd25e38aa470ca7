// SPDX-License-Identifier: Apache-2.0
// The tables: what is watched, and what is made of it.
//
// Every rule reads series by (instance, process, pid) alone. A process stands
// on several pages, so its series bear several job labels, and a join of two of
// them would silently find nothing.
#pragma once

#include <span>
#include <vector>

#include "collector/monitoring/model.h"

namespace heapledger::collector::monitoring {

[[nodiscard]] std::span<const Threshold> Thresholds();
[[nodiscard]] std::span<const Metric> Metrics();
// A rule stands behind those of its pace that it reads.
[[nodiscard]] std::span<const RecordingRule> RecordingRules();

// Levels of what is taken: usage, headroom, swap, stalls, kills.
[[nodiscard]] std::span<const Alert> LevelAlerts();
// Growth: slopes, exhaustion, heaps, leaks.
[[nodiscard]] std::span<const Alert> GrowthAlerts();
// The watching itself.
[[nodiscard]] std::span<const Alert> WatchAlerts();
[[nodiscard]] std::vector<Alert> AllAlerts();

[[nodiscard]] std::span<const Inhibition> Inhibitions();
// Rows and panels of the dashboard, in the order of the page.
[[nodiscard]] std::span<const Panel> Panels();

}  // namespace heapledger::collector::monitoring
