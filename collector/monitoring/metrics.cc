// SPDX-License-Identifier: Apache-2.0
// The families that rules and panels read.
#include "collector/monitoring/tables.h"

namespace heapledger::collector::monitoring {
namespace {

constexpr auto kGauge = MetricType::kGauge;
constexpr auto kCounter = MetricType::kCounter;

constexpr Metric kMetrics[] = {
    // Of a process.
    {"process_memory_rss_bytes", kGauge, "process,pid", "memory",
     "resident memory"},
    {"memory_usage_bytes", kGauge, "process,pid,type", "memory",
     "memory of the process by type"},
    {"heapledger_memory_limit_bytes", kGauge, "process,pid", "memory",
     "the lowest limit that holds for the process"},
    {"heapledger_memory_headroom_bytes", kGauge, "process,pid", "memory",
     "what is left below the limit that bites first"},
    {"heapledger_cgroup_memory_events_total", kCounter, "cgroup,event",
     "memory", "memory events of the control group"},
    {"heapledger_memory_pressure_seconds_total", kCounter, "scope,cgroup,kind",
     "memory", "time that tasks waited for memory"},
    {"heapledger_resident_bytes", kGauge, "process,pid,part", "memory",
     "resident memory by what it is for"},
    {"heapledger_heap_resident_bytes", kGauge, "process,pid", "memory",
     "resident memory of the allocator"},
    {"heapledger_heap_live_bytes", kGauge, "process,pid", "memory",
     "bytes allocated and not freed"},
    {"heapledger_heap_live_objects", kGauge, "process,pid", "memory",
     "blocks allocated and not freed"},
    {"heapledger_heap_allocated_bytes_total", kCounter, "process,pid", "memory",
     "bytes allocated"},
    {"heapledger_heap_allocations_total", kCounter, "process,pid", "memory",
     "blocks allocated"},
    {"heapledger_degraded", kGauge, "process,pid,reason", "memory",
     "events in which detail was given up"},
    {"heapledger_last_snapshot_timestamp_seconds", kGauge, "process,pid",
     "memory", "when the figures were read"},
    {"heapledger_target_last_sample_timestamp_seconds", kGauge, "process,pid",
     "memory", "when the memory of the process was read"},
    {"heapledger_oom_kills_total", kCounter, "", "memory",
     "processes that the OOM killer of the host ended"},
    {"heapledger_baseline_value", kGauge, "process,metric,stat,slot", "memory",
     "what is normal for the program"},
    // Of callsites.
    {"heapledger_callsite_live_bytes", kGauge,
     "process,pid,callsite,function,module", "callsites",
     "live bytes by callsite"},
    {"heapledger_callsite_growth_bytes_per_second", kGauge,
     "process,pid,callsite,function,module", "callsites",
     "slope of a callsite's live bytes"},
    {"heapledger_callsite_info", kGauge,
     "process,pid,callsite,function,module,file,line", "callsites",
     "where a callsite stands in the source"},
    {"heapledger_leak_suspect_bytes", kGauge,
     "process,pid,callsite,function,module,evidence", "callsites",
     "bytes that the evidence of a leak is about"},
    {"heapledger_heap_exhaustion_seconds", kGauge, "process,pid", "callsites",
     "time until growth has used up what the process can have"},
    // Of a Python process.
    {"python_gc_time_seconds_total", kCounter, "process,pid,generation", "gc",
     "time in collections"},
    {"python_gc_collections_total", kCounter, "process,pid,generation", "gc",
     "collections"},
    {"python_memory_heap_size_bytes", kGauge, "process,pid", "python",
     "arenas of the object allocator"},
    {"python_memory_heap_free_bytes", kGauge, "process,pid", "python",
     "part of the arenas that holds no object"},
    // Of the host.
    {"memory_total_bytes", kGauge, "", "memory", "memory of the host"},
    {"memory_available_bytes", kGauge, "", "memory", "memory to be had"},
    {"memory_buffers_bytes", kGauge, "", "memory", "buffers"},
    {"memory_cached_bytes", kGauge, "", "memory", "page cache"},
    {"memory_swap_used_bytes", kGauge, "", "memory", "swap in use"},
    {"memory_swap_free_bytes", kGauge, "", "memory", "swap to be had"},
    {"heapledger_swap_in_pages_total", kCounter, "", "memory",
     "pages that came back from swap"},
    {"heapledger_log_pattern_matches_total", kCounter, "pattern,severity",
     "memory", "log lines that tell of memory"},
    {"heapledger_response_actions_total", kCounter,
     "process,action,level,result", "memory", "responses to pressure"},
    // Of the collector.
    {"heapledger_build_info", kGauge, "version", "self", "1 while it serves"},
    {"heapledger_invariant_violations_total", kCounter, "", "self",
     "accounts that did not add up"},
};

}  // namespace

std::span<const Metric> Metrics() { return kMetrics; }

}  // namespace heapledger::collector::monitoring
