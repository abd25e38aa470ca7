// SPDX-License-Identifier: Apache-2.0
// The recording rules. Memory goes up and down: slopes are deriv(), which a
// fall makes negative, never rate(), which takes every fall for a restart.
#include "collector/monitoring/tables.h"

namespace heapledger::collector::monitoring {
namespace {

constexpr RecordingRule kRules[] = {
    {"memory:rss_bytes",
     "max by (instance, process, pid) (process_memory_rss_bytes)",
     "Resident memory, whatever page it came from."},
    {"memory:limit_bytes",
     "min by (instance, process, pid) (heapledger_memory_limit_bytes)",
     "The lowest limit that holds for the process."},
    {"memory:headroom_bytes",
     "min by (instance, process, pid) (heapledger_memory_headroom_bytes)",
     "What is left below the limit that bites first. Page cache that can be\n"
     "dropped counts as left."},
    {"memory:usage_ratio",
     "1 - memory:headroom_bytes / (memory:limit_bytes > 0)",
     "Share of the limit that is used."},
    {"memory:usage_percent", "100 * memory:usage_ratio",
     "The same, for those who think in per cent."},
    {"memory:usage_rate_5m", "deriv(memory:rss_bytes[5m])",
     "Slope of resident memory in bytes a second."},
    {"memory:usage_rate_15m", "deriv(memory:rss_bytes[15m])",
     "The same over 15 minutes."},
    {"memory:usage_rate_30m", "deriv(memory:rss_bytes[30m])",
     "The same over 30 minutes."},
    {"memory:rss_avg2m_bytes", "avg_over_time(memory:rss_bytes[2m])",
     "Resident memory without its noise."},
    {"memory:rss_new_high",
     "memory:rss_avg2m_bytes\n"
     "  > max_over_time(memory:rss_bytes[1h] offset 5m)",
     "There only while memory is above all that was seen in the hour before:\n"
     "a sawtooth comes back to where it was, a leak does not."},
    {"memory:growth_unbounded",
     "(\n"
     "  memory:rss_avg2m_bytes - memory:rss_avg2m_bytes offset 15m\n"
     "  >= 0.95 * (memory:rss_avg2m_bytes offset 15m"
     " - memory:rss_avg2m_bytes offset 30m)\n"
     ")\n"
     "or\n"
     "(\n"
     "  memory:rss_avg2m_bytes\n"
     "  + (memory:rss_avg2m_bytes - memory:rss_avg2m_bytes offset 15m) ^ 2\n"
     "  / ((2 * memory:rss_avg2m_bytes offset 15m"
     " - memory:rss_avg2m_bytes offset 30m - memory:rss_avg2m_bytes) > 0)\n"
     "  > memory:limit_bytes\n"
     ")",
     "There only while growth does not slow down, or slows down too little to\n"
     "end below the limit (Aitken's extrapolation of the last half hour). A\n"
     "cache that fills and an allocator that settles slow down."},
    {"memory:exhaustion_time_seconds",
     "memory:headroom_bytes / (memory:usage_rate_5m > 0)",
     "Time until the headroom is gone, if growth goes on as it is."},
    {"memory:gc_ratio",
     "sum by (instance, process, pid) (\n"
     "  max by (instance, process, pid, generation) (\n"
     "    rate(python_gc_time_seconds_total[5m])\n"
     "  )\n"
     ")",
     "Share of time in garbage collection, all generations together."},
    {"memory:swap_ratio",
     "max by (instance) (\n"
     "  memory_swap_used_bytes\n"
     "  / ((memory_swap_used_bytes + memory_swap_free_bytes) > 0)\n"
     ")",
     "Share of swap that is used; not there without swap."},
    {"memory:swap_in_pages_per_second",
     "max by (instance) (rate(heapledger_swap_in_pages_total[5m]))",
     "Pages that come back from swap: what makes swap slow."},
    {"memory:stall_ratio",
     "max by (instance, scope, cgroup, kind) (\n"
     "  rate(heapledger_memory_pressure_seconds_total[2m])\n"
     ")",
     "Share of time in which some or all tasks waited for memory."},
    {"memory:oom_kills_10m",
     "max by (instance, cgroup) (\n"
     "  increase(heapledger_cgroup_memory_events_total{event=\"oom_kill\"}"
     "[10m])\n"
     ")",
     "Processes of a control group that the OOM killer ended.", Pace::kFast,
     "scope", "cgroup"},
    {"memory:oom_kills_10m",
     "max by (instance) (increase(heapledger_oom_kills_total[10m]))",
     "Those of the whole host.", Pace::kFast, "scope", "host"},
    {"memory:efficiency_ratio",
     "max by (instance, process, pid) (memory_usage_bytes{type=\"rss\"})\n"
     "/ (max by (instance, process, pid) (memory_usage_bytes{type=\"vms\"}) >"
     " 0)",
     "Share of the address space that is resident. For how well a heap uses\n"
     "its memory see memory:fragmentation_ratio."},
    {"memory:heap_bytes",
     "max by (instance, process, pid) (heapledger_heap_live_bytes)",
     "Live bytes of the native heap.", Pace::kFast, "heap", "native"},
    {"memory:heap_bytes",
     "max by (instance, process, pid) (python_memory_heap_size_bytes)",
     "Arenas of the Python heap.", Pace::kFast, "heap", "python"},
    {"memory:heap_objects",
     "max by (instance, process, pid) (heapledger_heap_live_objects)",
     "Live blocks."},
    {"memory:heap_resident_bytes",
     "max by (instance, process, pid) (heapledger_heap_resident_bytes)",
     "Resident memory that belongs to the allocator: live, kept for later, "
     "and\n"
     "its own books."},
    {"memory:fragmentation_ratio",
     "1 - memory:heap_bytes{heap=\"native\"}\n"
     "    / ignoring (heap) (memory:heap_resident_bytes > 0)",
     "Share of the resident heap that no live block uses."},
    {"memory:allocation_efficiency",
     "max by (instance, process, pid) (\n"
     "  rate(heapledger_heap_allocations_total[5m])\n"
     ")\n"
     "/\n"
     "(\n"
     "  max by (instance, process, pid) (\n"
     "    rate(heapledger_heap_allocated_bytes_total[5m])\n"
     "  ) / 1024 > 0\n"
     ")",
     "Blocks for each KiB that is allocated."},
    {"memory:leak_suspect_bytes",
     "max by (instance, process, pid, callsite, function, module) (\n"
     "  heapledger_leak_suspect_bytes\n"
     ")",
     "Bytes of a callsite that is suspected to leak, by the strongest\n"
     "evidence."},
    {"memory:exhaustion_forecast_seconds",
     "min by (instance, process, pid) (heapledger_heap_exhaustion_seconds)",
     "Time until growth has used up what the process can have, as the\n"
     "collector tells from a second's history; nothing without growth."},
    {"memory:callsite_place",
     "max by (instance, process, pid, callsite, file, line) (\n"
     "  heapledger_callsite_info{file!=\"\"}\n"
     ")",
     "1, with file and line, where a callsite's place in the source is known."},
    {"memory:baseline_rss_bytes",
     "max by (instance, process) (\n"
     "  heapledger_baseline_value{metric=\"rss_bytes\", stat=\"p99\"}\n"
     ")",
     "Resident memory that the program normally stays below."},
    {"memory:usage_rate_1h", "deriv(memory:rss_avg2m_bytes[1h])",
     "Slope over an hour.", Pace::kSlow},
    {"memory:usage_rate_24h", "deriv(memory:rss_avg2m_bytes[24h])",
     "Slope over a day.", Pace::kSlow},
    {"memory:pressure_index",
     "40 * clamp(memory:usage_ratio, 0, 1)\n"
     "+ 30 * (\n"
     "  clamp(memory:usage_rate_5m * 900 / (memory:headroom_bytes > 0), 0, 1)\n"
     "  or 0 * memory:usage_ratio\n"
     ")\n"
     "+ 20 * (clamp_max(memory:gc_ratio, 1) or 0 * memory:usage_ratio)\n"
     "+ 10 * (\n"
     "  (0 * memory:usage_ratio + on (instance) group_left () "
     "memory:swap_ratio)\n"
     "  or 0 * memory:usage_ratio\n"
     ")",
     "0 to 100: 40 points for what is used, 30 for growth that would take the\n"
     "rest within 15 minutes, 20 for garbage collection, 10 for swap. Without\n"
     "Python or swap their points are 0."},
};

}  // namespace

std::span<const RecordingRule> RecordingRules() { return kRules; }

}  // namespace heapledger::collector::monitoring
