# SPDX-License-Identifier: Apache-2.0
"""Runs five services that leak and five that only look like it side by side,
with one collector, and prints which were named, when, and at which function.

Exit status: 0 if exactly the five were named, each at its function; else 1.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

# Program -> the function whose blocks leak; none: it must not be named.
SERVICES = {
    "leak_rare": "ParseRequest",
    "leak_sawtooth": "ReadRecord",
    "leak_cache": "RememberAnswer",
    "leak_cycle": "MakePeer",
    "leak_connection": "NewInputBuffer",
    "calm_warmup": None,
    "calm_sawtooth": None,
    "calm_batch": None,
    "calm_diurnal": None,
    "calm_arena": None,
}


def short(function):
    """"(anonymous namespace)::F(int)" -> "F"."""
    function = function.replace("(anonymous namespace)::", "")
    return function.split("(")[0].split("::")[-1]


class Seen:
    """What was said of one service."""

    def __init__(self):
        self.first = {}  # function -> seconds until it was first named
        self.reason = {}  # function -> the last reason
        self.at_end = set()

    def add(self, seconds, suspects):
        self.at_end = set()
        for suspect in suspects:
            function = short(suspect["function"])
            self.first.setdefault(function, seconds)
            self.reason[function] = suspect["evidence"][0]["reason"]
            self.at_end.add(function)


class Experiment:

    def __init__(self, build, interval):
        self.cli = os.path.join(build, "bin", "heapledger")
        self.shim = os.path.join(build, "lib", "libheapledger.so")
        self.programs = os.path.join(build, "tests", "programs")
        self.interval = interval
        self.ledgers = tempfile.mkdtemp(prefix="heapledger-services-",
                                        dir="/dev/shm")
        self.started = []

    def start(self, seconds, speed=1):
        environment = dict(os.environ, LD_PRELOAD=self.shim,
                           HEAPLEDGER_DIR=self.ledgers)
        pids = {}
        for name in SERVICES:
            process = subprocess.Popen(
                [os.path.join(self.programs, name), str(seconds),
                 str(speed)],
                env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL)
            self.started.append(process)
            pids[process.pid] = name
        return pids

    def collect(self, *options):
        self.collector = subprocess.Popen(
            [self.cli, "collect", "--listen", "127.0.0.1:0", "--dir",
             self.ledgers, "--interval", str(self.interval), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        self.started.append(self.collector)
        line = self.collector.stderr.readline().decode()
        found = re.search(r"http://[\d.]+:\d+", line)
        if not found:
            sys.exit(f"services: the collector did not start: {line}")
        return found.group(0)

    def collector_cpu_seconds(self):
        with open(f"/proc/{self.collector.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def run(self, seconds):
        """{service: Seen}, and the share of a core that the collector took."""
        base = self.collect()
        pids = self.start(seconds + 30)
        begin = time.monotonic()
        cpu = self.collector_cpu_seconds()
        seen = {name: Seen() for name in SERVICES}
        while time.monotonic() - begin < seconds:
            time.sleep(1)
            with urllib.request.urlopen(base + "/api/v1/leaks",
                                        timeout=20) as answer:
                page = json.load(answer)
            now = time.monotonic() - begin
            for process in page["processes"]:
                if process["pid"] in pids:
                    seen[pids[process["pid"]]].add(now, process["suspects"])
            for process in self.started:
                if process.poll() is not None:
                    sys.exit(f"services: {process.args[0]} ended early")
        passed = time.monotonic() - begin
        return seen, (self.collector_cpu_seconds() - cpu) / passed

    def stop(self):
        for process in self.started:
            process.kill()
            process.wait()
        shutil.rmtree(self.ledgers, ignore_errors=True)


def verdict(name, seen):
    """"named", "missed", "quiet" or "false alarm"; and whether it is right."""
    leaking = SERVICES[name]
    others = set(seen.first) - {leaking}
    if others:
        return "false alarm: " + ", ".join(sorted(others)), False
    if leaking is None:
        return "quiet", True
    if leaking in seen.at_end:
        return "named", True
    return "missed", False


def table(seen):
    lines = [
        "| service | verdict | function | after | evidence at the end |",
        "| --- | --- | --- | --- | --- |"
    ]
    right = 0
    for name in SERVICES:
        word, good = verdict(name, seen[name])
        right += good
        functions = sorted(seen[name].first, key=seen[name].first.get)
        lines.append("| {} | {} | {} | {} | {} |".format(
            name, word, ", ".join(functions) or "-",
            ", ".join(f"{seen[name].first[f]:.0f} s" for f in functions) or
            "-", "; ".join(seen[name].reason[f] for f in functions) or "-"))
    return "\n".join(lines), right


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build",
                        help="build directory (default build)")
    parser.add_argument("--seconds", type=float, default=420,
                        help="how long they run (default 420)")
    parser.add_argument("--interval", type=float, default=1,
                        help="the collector's, in seconds (default 1)")
    arguments = parser.parse_args()
    experiment = Experiment(os.path.abspath(arguments.build),
                            arguments.interval)
    try:
        seen, share = experiment.run(arguments.seconds)
    finally:
        experiment.stop()
    text, right = table(seen)
    print(text)
    print(f"\n{right} of {len(SERVICES)} right in {arguments.seconds:.0f} s; "
          f"the collector took {100 * share:.2f} % of a core")
    return 0 if right == len(SERVICES) else 1


if __name__ == "__main__":
    sys.exit(main())
