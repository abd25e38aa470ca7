// SPDX-License-Identifier: Apache-2.0
// Alerts on growth. Each asks a short and a long window, and holds for longer
// than the short one lasts: a step is over by then, a leak is not.
#include "collector/monitoring/tables.h"

namespace heapledger::collector::monitoring {
namespace {

constexpr std::string_view kGrowthLook =
    "- `heapledger leaks PID --duration 5m`: is there a callsite whose floor "
    "rises?\n"
    "- `heapledger mark PID before`, later `heapledger diff PID@before PID`: "
    "what grew?\n"
    "- `memory:usage_rate_5m`, `_15m`, `_30m`, `_1h`: does it slow down?\n";

constexpr Alert kAlerts[] = {
    {"MemoryGrowthRateHigh",
     "memory:usage_rate_15m > ${growth_high} / 300\n"
     "  and memory:usage_rate_30m > ${growth_high} / 300\n"
     "  and memory:rss_new_high",
     "10m",
     "5m",
     Severity::kMedium,
     Team::kDevelopment,
     "{{ $labels.process }} keeps growing",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "is growing {{ $value | humanize1024 }}B/s, and is larger than it was in "
     "the hour before.",
     "Look for the callsite that grows.",
     {"Resident memory rises over 15 and over 30 minutes, and to where it was "
      "not before.\n",
      kGrowthLook,
      "- Name the callsite and fix what keeps its blocks.\n"
      "- Until then plan a restart before `memory:exhaustion_time_seconds` is "
      "over.\n",
      "A program that warms up for longer than half an hour. Raise "
      "`growth_high`.\n"}},
    {"MemoryGrowthRateCritical",
     "memory:usage_rate_5m > ${growth_critical} / 300\n"
     "  and memory:usage_rate_15m > ${growth_critical} / 300\n"
     "  and memory:rss_new_high",
     "5m",
     "5m",
     Severity::kHigh,
     Team::kDevelopment,
     "{{ $labels.process }} grows fast",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "is growing {{ $value | humanize1024 }}B/s, and is larger than it was in "
     "the hour before.",
     "Look for the callsite that grows now; take a snapshot.",
     {"As MemoryGrowthRateHigh, and several times faster.\n", kGrowthLook,
      "- `heapledger snapshot PID -o heap.hl` while it grows.\n"
      "- Take the load away that makes it grow, or restart in order.\n",
      "The first filling of a large cache. Raise `growth_critical`.\n"}},
    {"MemoryExhaustionImminent",
     "memory:headroom_bytes / (memory:usage_rate_5m > 0)"
     " < ${exhaustion_imminent}\n"
     "  and memory:headroom_bytes / (memory:usage_rate_15m > 0)"
     " < ${exhaustion_imminent_steady}\n"
     "  and memory:growth_unbounded",
     "6m",
     "5m",
     Severity::kCritical,
     Team::kInfrastructure,
     "{{ $labels.process }} runs out of memory in {{ $value | humanizeDuration "
     "}}",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "will have used up its memory in {{ $value | humanizeDuration }} if it "
     "goes on growing as it does.",
     "Take a snapshot, then restart in order before that time.",
     {"At the slopes of the last 5 and 15 minutes the headroom is gone soon, "
      "and growth\nshows no sign of an end below the limit.\n",
      kGrowthLook,
      "- `heapledger snapshot PID -o heap.hl`: the evidence.\n"
      "- Raise the limit, take load away, or restart in order.\n",
      "A burst that ends by itself after more than 6 minutes. Lower "
      "`exhaustion_imminent`.\n"}},
    {"MemoryExhaustionForecast",
     "memory:exhaustion_forecast_seconds < ${exhaustion_forecast}",
     "0s",
     "5m",
     Severity::kCritical,
     Team::kInfrastructure,
     "{{ $labels.process }} leaks into its limit in {{ $value | "
     "humanizeDuration }}",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "will have used up its memory in {{ $value | humanizeDuration }}: what it "
     "holds at the lowest keeps rising.",
     "Take a snapshot, then restart in order before that time.",
     {"The collector sees the live bytes once a second, and the lowest of each "
      "span of\ntime rises through every swing; it asks for minutes of that "
      "before it says so.\n",
      "- `/api/v1/leaks`: `trend` names the callsites that carry the growth.\n"
      "- `heapledger leaks PID -v`: figures, reasons and whole stacks.\n",
      "- `heapledger snapshot PID -o heap.hl`: the evidence.\n"
      "- Raise the limit, take load away, or restart in order.\n",
      "The way up of a day that the collector has not seen before. Lower "
      "`exhaustion_forecast`.\n"}},
    {"MemoryExhaustionPredicted",
     "memory:headroom_bytes / (memory:usage_rate_15m > 0)"
     " < ${exhaustion_predicted}\n"
     "  and memory:headroom_bytes / (memory:usage_rate_30m > 0)"
     " < ${exhaustion_predicted}\n"
     "  and memory:growth_unbounded",
     "15m",
     "10m",
     Severity::kMedium,
     Team::kDevelopment,
     "{{ $labels.process }} will run out of memory in {{ $value | "
     "humanizeDuration }}",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "will have used up its memory in {{ $value | humanizeDuration }} if it "
     "goes on growing as it has for half an hour.",
     "Find the leak while there is time.",
     {"The same as MemoryExhaustionImminent over longer windows: hours are "
      "left.\n",
      kGrowthLook, "- Fix what leaks; plan a restart for the meantime.\n",
      "A working set that grows over the day and ends below the limit. Lower\n"
      "`exhaustion_predicted`.\n"}},
    {"GCPerformanceDegraded",
     "memory:gc_ratio > ${gc_ratio}",
     "5m",
     "5m",
     Severity::kMedium,
     Team::kDevelopment,
     "{{ $labels.process }} spends {{ $value | humanizePercentage }} of its "
     "time in garbage collection",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "has spent {{ $value | humanizePercentage }} of its time in garbage "
     "collection for 5 minutes.",
     "Look for many young containers, or a heap that is too large to walk.",
     {"All generations together take a noticeable share of a core, with the "
      "interpreter\nlocked.\n",
      "- `rate(python_gc_collections_total[5m])` by generation: many small "
      "ones, or few\n  large ones?\n"
      "- `memory:heap_bytes{heap=\"python\"}`: does the heap grow?\n",
      "- Keep fewer containers alive, or freeze what stays (`gc.freeze`).\n"
      "- Raise the thresholds of the collector in the program.\n",
      "A batch that builds a large structure. Raise `gc_ratio`.\n"}},
    {"HeapGrowthSustained",
     "delta(memory:heap_bytes[15m]) > ${heap_growth}\n"
     "  and deriv(memory:heap_bytes[30m]) > 0",
     "5m",
     "5m",
     Severity::kMedium,
     Team::kDevelopment,
     "The {{ $labels.heap }} heap of {{ $labels.process }} grew by {{ $value | "
     "humanize1024 }}B",
     "The {{ $labels.heap }} heap of {{ $labels.process }} (pid {{ $labels.pid "
     "}}) on {{ $labels.instance }} grew by {{ $value | humanize1024 }}B in 15 "
     "minutes.",
     "Look for the callsite that grows.",
     {"What the program holds, not what is resident, is more than a quarter of "
      "an hour\nago, by much.\n",
      kGrowthLook, "- Name the callsite and fix what keeps its blocks.\n",
      "A program that loads its data. Raise `heap_growth`.\n"}},
    {"ObjectCountGrowthHigh",
     "deriv(memory:heap_objects[10m]) > ${object_growth} / 600\n"
     "  and deriv(memory:heap_objects[30m]) > ${object_growth} / 600\n"
     "  and memory:heap_objects\n"
     "    > (1 + ${object_growth_ratio}) * memory:heap_objects offset 30m",
     "10m",
     "5m",
     Severity::kMedium,
     Team::kDevelopment,
     "{{ $labels.process }} holds ever more objects",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "holds {{ $value | humanize }} objects more every second.",
     "Look for the callsite whose objects grow.",
     {"The number of live blocks rises, over 10 and over 30 minutes, whatever "
      "their size:\nsmall objects leak long before bytes tell.\n",
      "- `heapledger report PID --sort live-objects`: who holds most?\n"
      "- `heapledger leaks PID --duration 5m`: whose floor rises?\n",
      "- Name the callsite and fix what keeps its blocks.\n",
      "A program that fills an index. Raise `object_growth`.\n"}},
    {"MemoryFragmentationHigh",
     "memory:fragmentation_ratio > ${fragmentation_ratio}\n"
     "  and memory:heap_resident_bytes\n"
     "    - ignoring (heap) memory:heap_bytes{heap=\"native\"}\n"
     "    > ${fragmentation_bytes}",
     "10m",
     "10m",
     Severity::kLow,
     Team::kDevelopment,
     "{{ $value | humanizePercentage }} of the heap of {{ $labels.process }} "
     "is "
     "not in use",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "keeps {{ $value | humanizePercentage }} of its resident heap without a "
     "live block in it.",
     "Look at how long-lived and short-lived blocks mix.",
     {"The allocator holds much more resident memory than the program has "
      "blocks in.\nReserved address space does not count.\n",
      "- `heapledger report PID --by size`: which sizes hold the pages?\n"
      "- `heapledger_resident_bytes` by part: kept back, or books?\n",
      "- Let the allocator give back: `malloc_trim`, or a decay time of "
      "jemalloc.\n"
      "- Keep long-lived blocks apart from short-lived ones.\n",
      "A peak that comes back every few minutes. Raise "
      "`fragmentation_bytes`.\n"}},
    {"MemoryLeakSuspect",
     "(\n"
     "  memory:leak_suspect_bytes\n"
     "    * on (instance, process, pid, callsite) group_left (file, line)\n"
     "    memory:callsite_place\n"
     "  or ignoring (file, line)\n"
     "  memory:leak_suspect_bytes\n"
     ") > ${leak_bytes}",
     "5m",
     "10m",
     Severity::kMedium,
     Team::kDevelopment,
     "{{ $labels.process }} seems to leak at {{ $labels.function }}",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "seems to leak {{ $value | humanize1024 }}B at {{ $labels.function }} in "
     "{{ $labels.module }}{{ if $labels.file }} ({{ $labels.file }}:{{ "
     "$labels.line }}){{ end }}, callsite {{ $labels.callsite }}.",
     "Read its stack: heapledger leaks PID -v, with the pid named above.",
     {"The callsite's live bytes never fall back to where they were: the floor "
      "below its\nups and downs rises, or blocks stay that by their kind "
      "should "
      "be gone. This is\nevidence, no proof.\n",
      "- `heapledger leaks PID -v`: figures, reasons and the whole stack.\n"
      "- `heapledger report PID --tree`: who calls it?\n",
      "- Fix what keeps the blocks of this callsite.\n"
      "- A leak that is known: put its callsite into the collector's "
      "`--baseline` file.\n",
      "A period longer than the collector has seen yet looks like growth on "
      "its way up.\nRaise `leak_bytes`, or put the callsite into the "
      "baseline.\n"}},
    {"MemoryBaselineDeviation",
     "memory:rss_bytes\n"
     "  > on (instance, process) group_left ()\n"
     "  (${baseline_ratio} * memory:baseline_rss_bytes)",
     "15m",
     "15m",
     Severity::kLow,
     Team::kDevelopment,
     "{{ $labels.process }} is larger than it normally is",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "holds {{ $value | humanize1024 }}B, well above its baseline.",
     "Compare with what it held when the baseline was taken.",
     {"Resident memory is above the 99th percentile of what was learned as "
      "normal.\n",
      kGrowthLook,
      "- After a release that needs more: learn the baseline anew.\n"
      "- Otherwise as MemoryGrowthRateHigh.\n",
      "A baseline of quiet days. Raise `baseline_ratio`.\n"}},
};

}  // namespace

std::span<const Alert> GrowthAlerts() { return kAlerts; }

}  // namespace heapledger::collector::monitoring
