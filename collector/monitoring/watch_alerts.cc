// SPDX-License-Identifier: Apache-2.0
// Alerts on the watching itself: a silent watcher looks like a healthy host.
#include "collector/monitoring/tables.h"

namespace heapledger::collector::monitoring {
namespace {

constexpr Alert kAlerts[] = {
    {"HeapledgerDown",
     "up{job=~\"${jobs}\"} == 0 or absent(up{job=\"${memory_job}\"})",
     "1m",
     "",
     Severity::kHigh,
     Team::kInfrastructure,
     "The collector{{ with $labels.instance }} {{ . }}{{ end }} does not "
     "answer",
     "Prometheus has not read {{ $labels.job }}{{ with $labels.instance }} {{ "
     ". "
     "}}{{ end }} for a minute: no other memory alert can fire for it.",
     "Start the collector again, and see why it ended.",
     {"A page of `heapledger collect` could not be read, or no collector is "
      "known to\nPrometheus at all.\n",
      "- Prometheus' page of targets shows the error of the last try.\n"
      "- `curl http://HOST:9797/-/healthy` on its host.\n"
      "- An error that names `sample_limit`: the page has more series than "
      "the scrape\n  configuration allows.\n",
      "- Start the collector. Accounts lie in the ledgers, so nothing is "
      "lost.\n",
      "A host that was taken away: take it from the scrape configuration.\n"}},
    {"HeapledgerMetricsAbsent",
     "absent(heapledger_build_info)",
     "2m",
     "",
     Severity::kHigh,
     Team::kInfrastructure,
     "No collector is being read",
     "There has been no series of any collector for 2 minutes.",
     "See whether Prometheus reads what it should.",
     {"Prometheus holds no series of heapledger: the scrape configuration is "
      "gone, or\neverything is down at once.\n",
      "- Does Prometheus' configuration still have the jobs?\n"
      "- Are the collectors up?\n",
      "- Put the configuration back: `heapledger rules` writes it.\n",
      "heapledger is not used any more: remove its rules.\n"}},
    {"HeapledgerDataStale",
     "time() - min by (instance, process, pid) (\n"
     "  heapledger_last_snapshot_timestamp_seconds\n"
     ") > ${data_stale}\n"
     "or time() - min by (instance, process, pid) (\n"
     "  heapledger_target_last_sample_timestamp_seconds\n"
     ") > ${data_stale}",
     "1m",
     "",
     Severity::kMedium,
     Team::kInfrastructure,
     "The figures of {{ $labels.process }} are old",
     "The collector on {{ $labels.instance }} answers, but what it says of {{ "
     "$labels.process }} (pid {{ $labels.pid }}) is {{ $value | "
     "humanizeDuration }} old.",
     "Restart the collector; see whether its host is out of breath.",
     {"The page is served, but its figures were not read anew: other alerts "
      "judge an old\nworld.\n",
      "- `curl http://HOST:9797/-/healthy` says since when.\n"
      "- Is the host so busy, or out of memory, that the sampler cannot run?\n"
      "- Do the clocks of collector and Prometheus agree?\n",
      "- Restart the collector.\n",
      "A collector with `--interval` of a minute or more. Raise "
      "`data_stale`.\n"}},
    {"HeapledgerDegraded",
     "max by (instance, process, pid, reason) (\n"
     "  heapledger_degraded{reason=~\"callsites_full|ledger_full|modules_full|"
     "untracked_block\"}\n"
     ") > 0",
     "5m",
     "",
     Severity::kLow,
     Team::kDevelopment,
     "The accounts of {{ $labels.process }} have lost detail",
     "{{ $labels.process }} (pid {{ $labels.pid }}) on {{ $labels.instance }} "
     "gave up detail {{ $value | humanize }} times: {{ $labels.reason }}.",
     "See with heapledger report what was given up, and give the ledger room.",
     {"The ledger had no room, or met blocks that it could not follow. Totals "
      "stay right\nunless the reason says otherwise; callsites are not told "
      "apart any more.\n",
      "- `heapledger report PID -v`: the reasons, in words.\n"
      "- `heapledger_ledger_capacity_ratio`: is the ledger full?\n",
      "- `ledger_full`: raise `HEAPLEDGER_LEDGER_BYTES` and restart the "
      "program.\n"
      "- `callsites_full`: lower `HEAPLEDGER_MAX_DEPTH`, so that fewer stacks "
      "differ.\n",
      "A program that makes new code all the time.\n"}},
    {"HeapledgerAccountsBroken",
     "max by (instance) (\n"
     "  increase(heapledger_invariant_violations_total[10m])\n"
     ") > 0",
     "0s",
     "",
     Severity::kMedium,
     Team::kDevelopment,
     "Accounts on {{ $labels.instance }} do not add up",
     "On {{ $labels.instance }} the callsites of a process did not add up to "
     "its total, or more was freed than allocated, within the last 10 minutes.",
     "Do not trust the figures; report the defect with a snapshot.",
     {"The sum over callsites is the heap's total, always. Where it is not, "
      "heapledger\nhas a defect.\n",
      "- `heapledger ps` and `heapledger doctor`: which process, which "
      "program?\n",
      "- `heapledger snapshot PID -o broken.hl` and report it.\n", "None.\n"}},
    {"HeapledgerWatchdog",
     "vector(1)",
     "0s",
     "",
     Severity::kNone,
     Team::kInfrastructure,
     "The alert chain works",
     "This alert fires always. What receives it must speak up when it stops.",
     "Nothing, while it fires. If it stops, look at Prometheus and "
     "Alertmanager.",
     {"A dead man's switch: the one alert whose silence is the fault.\n",
      "- Is Prometheus up, and does it evaluate these rules?\n"
      "- Is Alertmanager up, and does Prometheus know it?\n"
      "- Can Alertmanager reach the receiver?\n",
      "- Repair the chain: while it is broken no alert arrives.\n", "None.\n"}},
};

}  // namespace

std::span<const Alert> WatchAlerts() { return kAlerts; }

std::vector<Alert> AllAlerts() {
  std::vector<Alert> all;
  for (const auto alerts : {LevelAlerts(), GrowthAlerts(), WatchAlerts()}) {
    all.insert(all.end(), alerts.begin(), alerts.end());
  }
  return all;
}

}  // namespace heapledger::collector::monitoring
