// SPDX-License-Identifier: Apache-2.0
// Which alert says all that another would say, so that one event is one
// message.
#include "collector/monitoring/tables.h"

namespace heapledger::collector::monitoring {
namespace {

constexpr std::string_view kProcess = "instance,process,pid";

constexpr Inhibition kInhibitions[] = {
    {"MemoryUsageFatal",
     "MemoryUsageCritical|MemoryUsageHigh|MemoryPressureEarly|"
     "AvailableMemoryLow",
     kProcess},
    {"MemoryUsageCritical",
     "MemoryUsageHigh|MemoryPressureEarly|AvailableMemoryLow", kProcess},
    {"MemoryUsageHigh", "MemoryPressureEarly", kProcess},
    {"MemoryExhaustionImminent",
     "MemoryGrowthRateHigh|MemoryGrowthRateCritical|HeapGrowthSustained|"
     "MemoryExhaustionPredicted",
     kProcess},
    {"MemoryExhaustionForecast",
     "MemoryGrowthRateHigh|MemoryGrowthRateCritical|HeapGrowthSustained|"
     "MemoryExhaustionPredicted",
     kProcess},
    {"MemoryGrowthRateCritical", "MemoryGrowthRateHigh", kProcess},
    {"MemoryStallFull", "MemoryStall", "instance,scope,cgroup"},
    {"HeapledgerDown", "HeapledgerDataStale", "instance"},
    // That one has no instance to be equal.
    {"HeapledgerDown", "HeapledgerMetricsAbsent", ""},
};

}  // namespace

std::span<const Inhibition> Inhibitions() { return kInhibitions; }

}  // namespace heapledger::collector::monitoring
