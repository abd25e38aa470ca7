// SPDX-License-Identifier: Apache-2.0
// The numbers of the rules. Values in base units.
#include "collector/monitoring/tables.h"

namespace heapledger::collector::monitoring {
namespace {

constexpr double kMiB = 1024.0 * 1024.0;

constexpr Threshold kThresholds[] = {
    {"usage_early", Unit::kRatio, 0.70, "MemoryPressureEarly: used of limit"},
    {"usage_high", Unit::kRatio, 0.80, "MemoryUsageHigh: used of limit"},
    {"usage_critical", Unit::kRatio, 0.90,
     "MemoryUsageCritical: used of limit"},
    {"usage_fatal", Unit::kRatio, 0.95, "MemoryUsageFatal: used of limit"},
    {"headroom_ratio", Unit::kRatio, 0.10,
     "AvailableMemoryLow: headroom below this share of the limit"},
    {"headroom_bytes", Unit::kBytes, 512 * kMiB,
     "AvailableMemoryLow: but never above this headroom"},
    {"growth_high", Unit::kBytes, 10 * kMiB,
     "MemoryGrowthRateHigh: growth in 5 minutes"},
    {"growth_critical", Unit::kBytes, 50 * kMiB,
     "MemoryGrowthRateCritical: growth in 5 minutes"},
    {"exhaustion_imminent", Unit::kSeconds, 2700,
     "MemoryExhaustionImminent: time left by the slope of 5 minutes"},
    {"exhaustion_imminent_steady", Unit::kSeconds, 4500,
     "MemoryExhaustionImminent: time left by the slope of 15 minutes"},
    {"exhaustion_predicted", Unit::kSeconds, 21600,
     "MemoryExhaustionPredicted: time left by the slopes of 15 and 30 minutes"},
    {"exhaustion_forecast", Unit::kSeconds, 3000,
     "MemoryExhaustionForecast: time left by the collector's forecast"},
    {"gc_ratio", Unit::kRatio, 0.10,
     "GCPerformanceDegraded: share of time in collections"},
    {"heap_growth", Unit::kBytes, 100 * kMiB,
     "HeapGrowthSustained: growth in 15 minutes"},
    {"object_growth", Unit::kCount, 1000,
     "ObjectCountGrowthHigh: more objects in 10 minutes"},
    {"object_growth_ratio", Unit::kRatio, 0.10,
     "ObjectCountGrowthHigh: and this share more than 30 minutes ago"},
    {"swap_ratio", Unit::kRatio, 0.50, "SwapUsageHigh: swap that is used"},
    {"swap_in", Unit::kPerSecond, 10,
     "SwapUsageHigh: and pages a second that come back"},
    {"fragmentation_ratio", Unit::kRatio, 0.30,
     "MemoryFragmentationHigh: share of the resident heap that is not live"},
    {"fragmentation_bytes", Unit::kBytes, 64 * kMiB,
     "MemoryFragmentationHigh: and at least these bytes"},
    {"stall_some", Unit::kRatio, 0.10,
     "MemoryStall: share of time in which some task waits for memory"},
    {"stall_full", Unit::kRatio, 0.10,
     "MemoryStallFull: share of time in which all tasks wait for memory"},
    {"leak_bytes", Unit::kBytes, kMiB,
     "MemoryLeakSuspect: bytes that the evidence is about"},
    {"baseline_ratio", Unit::kRatio, 1.2,
     "MemoryBaselineDeviation: resident memory over the baseline's 99th "
     "percentile"},
    {"data_stale", Unit::kSeconds, 60, "HeapledgerDataStale: age of figures"},
};

}  // namespace

std::span<const Threshold> Thresholds() { return kThresholds; }

}  // namespace heapledger::collector::monitoring
