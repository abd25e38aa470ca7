// SPDX-License-Identifier: Apache-2.0
// Alerts on levels: how much is taken, how little is left, who waits for it,
// and who paid.
#include "collector/monitoring/tables.h"

namespace heapledger::collector::monitoring {
namespace {

// What the four alerts on usage have in common.
constexpr std::string_view kUsageLook =
    "- `heapledger top PID`: is the heap what grew, and which callsite?\n"
    "- `memory:headroom_bytes` and `memory:limit_bytes`: whose limit bites?\n"
    "- `memory:exhaustion_time_seconds`: how long is left?\n"
    "- `memory:stall_ratio`: does anybody wait for memory yet?\n";
constexpr std::string_view kUsageQuiet =
    "A program that fills its memory on purpose (a cache, a database) lives "
    "near its\nlimit. Give it a limit with room, or raise the level for all "
    "with\n`heapledger rules --threshold`.\n";

constexpr Alert kAlerts[] = {
    {"MemoryPressureEarly",
     "memory:usage_ratio > ${usage_early}",
     "5m",
     "5m",
     Severity::kLow,
     Team::kInfrastructure,
     "{{ $labels.process }} uses {{ $value | humanizePercentage }} of its "
     "memory",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "has used {{ $value | humanizePercentage }} of its limit for 5 minutes.",
     "Look whether it grows; plan for more memory if it does.",
     {"The process, or the control group that it is in, uses more of its limit "
      "than it\nnormally should. Page cache that the kernel can drop does not "
      "count.\n",
      kUsageLook,
      "- Nothing at once. If it grows, follow MemoryGrowthRateHigh.\n"
      "- If it always stands here, its limit is too low: raise it.\n",
      kUsageQuiet}},
    {"MemoryUsageHigh",
     "memory:usage_ratio > ${usage_high}",
     "3m",
     "3m",
     Severity::kMedium,
     Team::kInfrastructure,
     "{{ $labels.process }} uses {{ $value | humanizePercentage }} of its "
     "memory",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "has used {{ $value | humanizePercentage }} of its limit for 3 minutes.",
     "Find out what grew, and scale out or raise the limit in working hours.",
     {"As MemoryPressureEarly, one step further.\n", kUsageLook,
      "- Take a snapshot while it is there: `heapledger snapshot PID -o "
      "heap.html`.\n"
      "- Scale out or raise the limit before the next peak.\n",
      kUsageQuiet}},
    {"MemoryUsageCritical",
     "memory:usage_ratio > ${usage_critical}",
     "1m",
     "2m",
     Severity::kHigh,
     Team::kInfrastructure,
     "{{ $labels.process }} uses {{ $value | humanizePercentage }} of its "
     "memory",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "has used {{ $value | humanizePercentage }} of its limit for a minute.",
     "Make room now: shed load, scale out, or restart it in order.",
     {"Little is left. A burst of requests can end in the OOM killer.\n",
      kUsageLook,
      "- Take a snapshot first: `heapledger snapshot PID -o heap.hl`. A "
      "restart\n  destroys the evidence.\n"
      "- Shed load, scale out or raise the limit.\n"
      "- Restart in order if it still grows.\n",
      kUsageQuiet}},
    {"MemoryUsageFatal",
     "memory:usage_ratio > ${usage_fatal}",
     "15s",
     "1m",
     Severity::kCritical,
     Team::kInfrastructure,
     "{{ $labels.process }} is about to run out of memory",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "has used {{ $value | humanizePercentage }} of its limit: the OOM killer "
     "may be next.",
     "Restart or scale out at once; the ledger keeps the evidence.",
     {"The next large allocation can have the process killed.\n", kUsageLook,
      "- Raise the limit of the control group at once if the host has room:\n"
      "  that takes effect without a restart.\n"
      "- Else restart in order, or take load away.\n"
      "- Its ledger outlives it: `heapledger report PID` works afterwards, "
      "too.\n",
      kUsageQuiet}},
    {"AvailableMemoryLow",
     "memory:headroom_bytes\n"
     "  < clamp_max(${headroom_ratio} * memory:limit_bytes, "
     "${headroom_bytes})",
     "2m",
     "2m",
     Severity::kHigh,
     Team::kInfrastructure,
     "{{ $labels.process }} has {{ $value | humanize1024 }}B of memory left",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "has had no more than {{ $value | humanize1024 }}B left for 2 minutes.",
     "Free memory, shed load or raise the limit.",
     {"What is left is little both as a share of the limit and in bytes. On a "
      "large host\nthe bytes count, in a small container the share.\n",
      kUsageLook,
      "- See whose memory it is: of the process, or of its neighbours on the "
      "host.\n"
      "- Act as for MemoryUsageCritical.\n",
      "A small container that needs little more than it has. Lower "
      "`headroom_ratio`.\n"}},
    {"SwapUsageHigh",
     "memory:swap_ratio > ${swap_ratio}\n"
     "  and on (instance) memory:swap_in_pages_per_second > ${swap_in}",
     "5m",
     "5m",
     Severity::kMedium,
     Team::kInfrastructure,
     "{{ $labels.instance }} swaps with {{ $value | humanizePercentage }} of "
     "its swap in use",
     "{{ $labels.instance }} has used {{ $value | humanizePercentage }} of its "
     "swap for 5 minutes, and pages come back from it all the time.",
     "Find what was pushed out and give the host more memory or less to do.",
     {"Swap is full of pages that are needed: each has to be read back. Swap "
      "that is used\nand left alone is no fault, and does not alert.\n",
      "- `memory:swap_in_pages_per_second`: how many come back?\n"
      "- `memory:stall_ratio{scope=\"host\"}`: what does it cost?\n"
      "- `heapledger ps`: which measured program is the largest?\n",
      "- Move work to another host, or limit the largest program.\n"
      "- Restart what was pushed out and is not needed any more.\n",
      "A host that hibernates programs to swap on purpose. Raise "
      "`swap_in`.\n"}},
    {"MemoryStall",
     "memory:stall_ratio{kind=\"some\"} > ${stall_some}",
     "1m",
     "2m",
     Severity::kMedium,
     Team::kInfrastructure,
     "Tasks wait for memory {{ $value | humanizePercentage }} of the time",
     "On {{ $labels.instance }} ({{ $labels.scope }}{{ with $labels.cgroup }} "
     "{{ . }}{{ end }}) some task has waited for "
     "memory {{ $value | humanizePercentage }} of the time for a minute.",
     "Look for what fills memory; latency suffers already.",
     {"The kernel's own measure of memory pressure: some task stood still "
      "because memory\nhad to be reclaimed first.\n",
      "- `memory:usage_ratio`: who is near a limit?\n"
      "- `memory:swap_in_pages_per_second`: is it swap?\n"
      "- `heapledger top`: who allocates much?\n",
      "- Raise the limit of the group that stalls, or take load away.\n",
      "Batch work that may stall. Raise `stall_some`.\n"}},
    {"MemoryStallFull",
     "memory:stall_ratio{kind=\"full\"} > ${stall_full}",
     "1m",
     "2m",
     Severity::kCritical,
     Team::kInfrastructure,
     "All tasks wait for memory {{ $value | humanizePercentage }} of the time",
     "On {{ $labels.instance }} ({{ $labels.scope }}{{ with $labels.cgroup }} "
     "{{ . }}{{ end }}) all tasks at once have "
     "waited for memory {{ $value | humanizePercentage }} of the time for a "
     "minute.",
     "Free memory at once: no work is done while it lasts.",
     {"Nobody in the group, or on the host, could run for lack of memory.\n",
      "- `memory:usage_ratio` and `memory:headroom_bytes`: whose limit is "
      "it?\n"
      "- `heapledger top`: who allocates much?\n",
      "- Raise the limit, or end the program that can be spared.\n",
      "None known.\n"}},
    {"MemoryOomKill",
     "memory:oom_kills_10m{scope=\"cgroup\"} > 0\n"
     "or memory:oom_kills_10m{scope=\"host\"} > 0\n"
     "  unless on (instance) memory:oom_kills_10m{scope=\"cgroup\"} > 0",
     "0s",
     "",
     Severity::kCritical,
     Team::kInfrastructure,
     "The OOM killer struck on {{ $labels.instance }}",
     "On {{ $labels.instance }}{{ with $labels.cgroup }} in the control group "
     "{{ . }}{{ end }} the OOM killer ended {{ $value | printf \"%.0f\" }} of "
     "the processes within the last 10 minutes.",
     "See what was killed and what filled the memory; its ledger is still "
     "there.",
     {"The kernel ended a process, because a limit or the host's end was "
      "reached and nothing\ncould be reclaimed.\n",
      "- `heapledger ps`: which one was killed?\n"
      "- `heapledger report PID`: what did it hold, by callsite? Ledgers "
      "outlive their\n  processes.\n"
      "- The kernel's log names the limit: `dmesg | grep -i oom`.\n",
      "- Act on the largest callsite, or raise the limit.\n"
      "- Make sure that the service came back.\n",
      "None: a kill that is expected is still lost work.\n"}},
    {"MemoryLogPattern",
     "sum by (instance, pattern) (\n"
     "  increase(heapledger_log_pattern_matches_total"
     "{severity=~\"critical|high\"}[5m])\n"
     ") > 0",
     "0s",
     "5m",
     Severity::kHigh,
     Team::kInfrastructure,
     "Logs on {{ $labels.instance }} tell of {{ $labels.pattern }}",
     "On {{ $labels.instance }} {{ $value | printf \"%.0f\" }} log lines "
     "within "
     "5 minutes tell of {{ $labels.pattern }}.",
     "Read the lines around it.",
     {"The kernel or a program wrote that memory ran out or could not be "
      "had.\n",
      "- The system's log of the time in question.\n"
      "- `heapledger ps`: was a measured program killed?\n",
      "- Act as for MemoryOomKill if a process was killed.\n",
      "A program that writes such words for other reasons: take its log from "
      "what is\nread.\n"}},
};

}  // namespace

std::span<const Alert> LevelAlerts() { return kAlerts; }

}  // namespace heapledger::collector::monitoring
