// SPDX-License-Identifier: Apache-2.0
// The dashboard: first what is left and how long, then why, then who.
#include "collector/monitoring/tables.h"

namespace heapledger::collector::monitoring {
namespace {

constexpr auto kRow = PanelType::kRow;
constexpr auto kTimeSeries = PanelType::kTimeSeries;
constexpr auto kStacked = PanelType::kStacked;
constexpr auto kStat = PanelType::kStat;
constexpr auto kTable = PanelType::kTable;
constexpr std::string_view kEach = "{{process}} {{pid}}";

constexpr Panel kPanels[] = {
    {kRow, "Memory", "", ""},
    {.type = kTimeSeries,
     .title = "Memory usage",
     .what = "Share of the limit that is used. Dashed: where the line of the "
             "last half hour leads within an hour; a guide, not an alert.",
     .unit = "percentunit",
     .width = 16,
     .queries = {{{"memory:usage_ratio{$on}", kEach},
                  {"predict_linear(memory:rss_bytes{$on}[30m], 3600) / "
                   "memory:limit_bytes{$on}",
                   "{{process}} {{pid}} in 1 h", true}}},
     .steps = {{{"green"},
                {"yellow", "${usage_early}"},
                {"orange", "${usage_high}"},
                {"red", "${usage_critical}"},
                {"dark-red", "${usage_fatal}"}}}},
    {.type = kStat,
     .title = "Predicted exhaustion",
     .what = "Time until the headroom of the first process is gone at the "
             "slope of the last 5 minutes.",
     .unit = "s",
     .width = 4,
     .queries = {{{"min(memory:exhaustion_time_seconds{$on})", "time left"}}},
     .steps = {{{"red"},
                {"orange", "7200"},
                {"yellow", "28800"},
                {"green", "86400"}}},
     .empty = "no growth"},
    {.type = kStat,
     .title = "Memory pressure index",
     .what = "0 to 100; how it is made stands in the recording rule.",
     .unit = "none",
     .width = 4,
     .queries = {{{"max(memory:pressure_index{$on})", "pressure"}}},
     .steps = {{{"green"}, {"yellow", "70"}, {"orange", "85"}, {"red", "95"}}}},
    {.type = kTimeSeries,
     .title = "Memory and its limit",
     .what = "Resident memory, and the limit that bites first.",
     .unit = "bytes",
     .width = 12,
     .queries = {{{"memory:rss_bytes{$on}", kEach},
                  {"memory:limit_bytes{$on}", "{{process}} {{pid}} limit",
                   true}}}},
    {.type = kTimeSeries,
     .title = "Growth rate",
     .what = "Slope of resident memory.",
     .unit = "Bps",
     .width = 12,
     .queries = {{{"memory:usage_rate_5m{$on}", "{{process}} {{pid}} 5 m"},
                  {"memory:usage_rate_1h{$on}", "{{process}} {{pid}} 1 h",
                   true}}}},
    {.type = kStacked,
     .title = "Memory of the host",
     .what = "Adds up to all memory of the host.",
     .unit = "bytes",
     .width = 12,
     .queries =
         {{{"sum by (instance) (memory:rss_bytes{$on})", "measured programs"},
           {"clamp_min(max by (instance) (memory_total_bytes"
            "{instance=~\"$instance\"} - memory_available_bytes"
            "{instance=~\"$instance\"}) - sum by (instance) "
            "(memory:rss_bytes{instance=~\"$instance\"}), 0)",
            "other programs"},
           {"max by (instance) ("
            "memory_available_bytes{instance=~\"$instance\"}"
            " - clamp_min(memory_available_bytes{instance=~\"$instance\"}"
            " - memory_cached_bytes{instance=~\"$instance\"}"
            " - memory_buffers_bytes{instance=~\"$instance\"}, 0))",
            "cache and buffers"},
           {"max by (instance) (clamp_min("
            "memory_available_bytes{instance=~\"$instance\"}"
            " - memory_cached_bytes{instance=~\"$instance\"}"
            " - memory_buffers_bytes{instance=~\"$instance\"}, 0))",
            "free"}}}},
    {.type = kTimeSeries,
     .title = "Waiting for memory",
     .what = "Share of time in which some or all tasks stood still.",
     .unit = "percentunit",
     .width = 12,
     .queries = {{{"memory:stall_ratio{instance=~\"$instance\"}",
                   "{{scope}} {{cgroup}} {{kind}}"}}}},
    {kRow, "Heap", "", ""},
    {.type = kTimeSeries,
     .title = "Live heap",
     .what = "What the program holds, and what of it is resident.",
     .unit = "bytes",
     .width = 12,
     .queries = {{{"memory:heap_bytes{$on}", "{{process}} {{pid}} {{heap}}"},
                  {"memory:heap_resident_bytes{$on}",
                   "{{process}} {{pid}} resident", true}}}},
    {.type = kStacked,
     .title = "Resident memory by part",
     .what = "Adds up to the resident memory of the chosen processes.",
     .unit = "bytes",
     .width = 12,
     .queries = {{{"sum by (part) (max by (instance, process, pid, part) "
                   "(heapledger_resident_bytes{$on}))",
                   "{{part}}"}}}},
    {.type = kTimeSeries,
     .title = "Heap not in use",
     .what = "Share of the resident heap without a live block in it.",
     .unit = "percentunit",
     .width = 12,
     .queries = {{{"memory:fragmentation_ratio{$on}", kEach}}}},
    {.type = kTimeSeries,
     .title = "Allocations",
     .what = "Blocks a second.",
     .unit = "ops",
     .width = 12,
     .queries = {{{"max by (instance, process, pid) "
                   "(rate(heapledger_heap_allocations_total{$on}[5m]))",
                   kEach}}}},
    {.type = kTable,
     .title = "Top callsites",
     .what = "Live bytes by callsite; _other is the exact sum of the rest.",
     .unit = "bytes",
     .width = 12,
     .queries = {{{"topk(20, max by (process, pid, callsite, function, module) "
                   "(heapledger_callsite_live_bytes{$on}))",
                   ""}}}},
    {.type = kTable,
     .title = "Leak suspects",
     .what = "Callsites with evidence of a leak, and the bytes it is about.",
     .unit = "bytes",
     .width = 12,
     .queries = {{{"memory:leak_suspect_bytes{$on}", ""}}}},
    {.type = kTimeSeries,
     .title = "Growth of callsites",
     .what = "Slope of the live bytes of the five that grow most.",
     .unit = "Bps",
     .width = 24,
     .queries = {{{"topk(5, max by (process, pid, callsite, function) "
                   "(heapledger_callsite_growth_bytes_per_second{$on}))",
                   "{{process}} {{function}}"}}}},
    {kRow, "Python", "", ""},
    {.type = kTimeSeries,
     .title = "Time in garbage collection",
     .what = "Share of time, all generations together.",
     .unit = "percentunit",
     .width = 8,
     .queries = {{{"memory:gc_ratio{$on}", kEach}}},
     .steps = {{{"green"}, {"red", "${gc_ratio}"}}}},
    {.type = kTimeSeries,
     .title = "Collections",
     .what = "Collections a second, by generation.",
     .unit = "ops",
     .width = 8,
     .queries = {{{"max by (instance, process, pid, generation) "
                   "(rate(python_gc_collections_total{$on}[5m]))",
                   "{{process}} {{pid}} gen {{generation}}"}}}},
    {.type = kTimeSeries,
     .title = "Python heap",
     .what = "Arenas, and the part of them that holds no object.",
     .unit = "bytes",
     .width = 8,
     .queries = {{{"max by (instance, process, pid) "
                   "(python_memory_heap_size_bytes{$on})",
                   kEach},
                  {"max by (instance, process, pid) "
                   "(python_memory_heap_free_bytes{$on})",
                   "{{process}} {{pid}} free", true}}}},
    {kRow, "The watching", "", ""},
    {.type = kStat,
     .title = "Collectors that answer",
     .what = "Share of the pages that Prometheus could read.",
     .unit = "percentunit",
     .width = 8,
     .queries = {{{"avg(up{job=~\"${jobs}\"})", "up"}}},
     .steps = {{{"red"}, {"green", "1"}}},
     .empty = "none"},
    {.type = kTimeSeries,
     .title = "Age of the figures",
     .what = "Since the collector read the ledger of a process.",
     .unit = "s",
     .width = 8,
     .queries = {{{"time() - max by (instance, process, pid) "
                   "(heapledger_last_snapshot_timestamp_seconds{$on})",
                   kEach}}}},
    {.type = kTimeSeries,
     .title = "Detail given up",
     .what = "Events since the start of the process, by reason.",
     .unit = "short",
     .width = 8,
     .queries = {{{"max by (instance, process, pid, reason) "
                   "(heapledger_degraded{$on})",
                   "{{process}} {{pid}} {{reason}}"}}}},
};

}  // namespace

std::span<const Panel> Panels() { return kPanels; }

}  // namespace heapledger::collector::monitoring
