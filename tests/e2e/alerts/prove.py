# SPDX-License-Identifier: Apache-2.0
"""Proves alerts on made-up and recorded lives of processes: leaks that end in
an OOM, and what only looks like one. Judged are Prometheus' rules, by a real
Prometheus on a backfilled store, and the detector of the collector.

Thresholds were tuned on seeds 1 and 2: report on another one. Writes proof.md
and proof.json to the output folder.

Exit status: 0 if the gates hold, 1 if one does not, 2 if it cannot run.
"""

import argparse
import concurrent.futures
import io
import json
import os
import subprocess
import sys
import tempfile

import families
import recorder
import scores
import trace_file
from prometheus import STEP, Store
from rules import Rules

# The alarm on the detector: what it forecasts as nearer than this.
ALARM_SECONDS = 3000
METRICS = ("process_memory_rss_bytes", "heapledger_memory_limit_bytes",
           "heapledger_memory_headroom_bytes", "heapledger_heap_leak_score",
           "heapledger_heap_floor_growth_bytes_per_second",
           "heapledger_heap_exhaustion_seconds")


def judge(program, traces):
    """name -> [(second, score, bytes per second, exhaustion or None)]."""
    file = io.BytesIO()
    for trace in traces:
        trace_file.write(trace, file)
    done = subprocess.run([program], input=file.getvalue(), check=True,
                          stdout=subprocess.PIPE)
    said = {trace.name: [] for trace in traces}
    for line in done.stdout.decode().splitlines():
        name, second, score, rate, exhaustion = line.split()
        said[name].append((int(second), float(score), float(rate),
                           None if exhaustion == "-" else float(exhaustion)))
    return said


def samples(traces, said):
    """What a scrape every STEP seconds would have seen."""
    result = {metric: {} for metric in METRICS}
    rss, limit, headroom, score, growth, exhaustion = result.values()
    for trace in traces:
        values = list(enumerate(trace.values))[::STEP]
        rss[trace.name] = values
        limit[trace.name] = [(t, trace.limit) for t, _ in values]
        headroom[trace.name] = [(t, trace.limit - v) for t, v in values]
        words = {word[0]: word for word in said[trace.name]}
        score[trace.name] = [(t, words[t][1] if t in words else 0)
                             for t, _ in values]
        growth[trace.name] = [(t, words[t][2]) for t, _ in values
                              if t in words]
        exhaustion[trace.name] = [
            (t, words[t][3]) for t, _ in values
            if t in words and words[t][3] is not None]
    return result


def family_of(arguments, family):
    """The traces of a family and what each source says of them."""
    if family == "recorded":
        traces = recorder.record(arguments.build, arguments.record)
    else:
        traces = [families.make(family, number, arguments.seed)
                  for number in range(arguments.traces)]
    said = judge(arguments.judge, traces)
    sources = {"detector": {
        name: [second for second, _, _, exhaustion in words
               if exhaustion is not None and exhaustion < ALARM_SECONDS]
        for name, words in said.items()}}
    if arguments.loaded:
        with tempfile.TemporaryDirectory(prefix="heapledger-proof-") as folder:
            store = Store(folder)
            store.load(samples(traces, said))
            length = max(len(trace.values) for trace in traces)
            arguments.loaded.record(store, length)
            sources |= arguments.loaded.fire(store, length)
            # The store answers for five minutes after the last sample.
            for fires in sources.values():
                for trace in traces:
                    fires[trace.name] = [t for t in fires.get(trace.name, [])
                                         if t < len(trace.values)]
    return traces, sources


def report(arguments, traces, sources, out):
    results, failed, parts = [], 0, []
    for source, said in sources.items():
        by_family = scores.score(traces, said)
        gated = source in arguments.gate
        # Of the recorded ones there are too few for shares.
        checks = scores.gates({family: score for family, score
                               in by_family.items()
                               if "recorded" not in family})
        precision, recall = scores.totals(by_family)
        results.append({
            "source": source, "precision": precision, "recall": recall,
            "families": [s.facts() for s in by_family.values()],
            "gates": [{"what": g.what, "good": g.good, "of": g.of,
                       "least": g.least, "passes": g.passes}
                      for g in checks] if gated else []})
        parts.append(scores.table(source, by_family))
        if gated:
            failed += sum(not gate.passes for gate in checks)
            parts.append("\n".join(f"- {gate.text()}" for gate in checks) +
                         "\n")
    head = (f"## Alerts on {len(traces)} traces, seed {arguments.seed}\n\n"
            f"The detector's alarm is a forecast of less than "
            f"{ALARM_SECONDS // 60} minutes.\n")
    if arguments.loaded and arguments.loaded.left_out:
        head += "\nNot judged: " + "; ".join(
            f"{name} (needs {', '.join(wants)})" for name, wants
            in sorted(arguments.loaded.left_out.items())) + "\n"
    text = head + "\n" + "\n".join(parts)
    out.write(text)
    if arguments.output:
        os.makedirs(arguments.output, exist_ok=True)
        with open(os.path.join(arguments.output, "proof.md"), "w") as file:
            file.write(text)
        with open(os.path.join(arguments.output, "proof.json"), "w") as file:
            json.dump({"seed": arguments.seed, "traces": len(traces),
                       "sources": results}, file, indent=2)
    return failed


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="prove-alerts", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build",
                        help="build directory (default build)")
    parser.add_argument("--seed", type=int, default=3,
                        help="of the traces (default 3)")
    parser.add_argument("--traces", type=int, default=100,
                        help="of each family (default 100)")
    parser.add_argument("--family", action="append", metavar="NAME",
                        choices=[*families.FAMILIES],
                        help="only this one, repeatable")
    parser.add_argument("--rules", action="append", metavar="FILE", default=[],
                        help="a file of Prometheus rules to judge, as written "
                        "by heapledger rules; repeatable")
    parser.add_argument("--record", type=float, default=0, metavar="SECONDS",
                        help="record real programs for so long, too")
    parser.add_argument("--gate", action="append", metavar="SOURCE",
                        help="detector (default) or an alert that must pass "
                        "the gates, repeatable")
    parser.add_argument("--jobs", type=int, default=2,
                        help="families at once (default 2)")
    parser.add_argument("-o", "--output", metavar="DIR",
                        help="write proof.md and proof.json there")
    arguments = parser.parse_args(argv)
    arguments.gate = arguments.gate or ["detector"]
    arguments.judge = os.path.join(arguments.build, "tests", "judge_traces")
    return arguments


def main(argv, out=sys.stdout):
    arguments = parse(argv)
    if not os.path.exists(arguments.judge):
        print(f"prove-alerts: {arguments.judge} is not there; build first, or "
              "name the build directory with --build", file=sys.stderr)
        return 2
    arguments.loaded = (Rules(arguments.rules, METRICS)
                        if arguments.rules else None)
    unknown = set(arguments.gate) - {"detector"} - {
        alert.name for alert in (arguments.loaded.alerts
                                 if arguments.loaded else [])}
    if unknown:
        print(f"prove-alerts: no such alert: {', '.join(sorted(unknown))}; "
              "give --gate the name of one in --rules", file=sys.stderr)
        return 2
    names = arguments.family or [*families.FAMILIES]
    if arguments.record:
        names = [*names, "recorded"]
    traces, sources = [], {}
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
        for some, said in pool.map(family_of, [arguments] * len(names), names):
            traces += some
            for source, fires in said.items():
                sources.setdefault(source, {}).update(fires)
    return 1 if report(arguments, traces, sources, out) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
