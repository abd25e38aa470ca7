# SPDX-License-Identifier: Apache-2.0
"""Measures what `heapledger collect` takes of a core while it looks at many
programs, each with 50 busy callsites, once a second, and what a scrape takes."""

import argparse
import os
import signal
import subprocess
import sys
import time
import urllib.request

import services

PROGRAM = "hot_callsites"


def scrape_cost(experiment, url, count):
    """A sentence on the CPU time of `count` scrapes."""
    before = experiment.collector_cpu_seconds()
    begin = time.monotonic()
    for _ in range(count):
        with urllib.request.urlopen(url, timeout=60) as answer:
            text = answer.read()
    # What the samplers took meanwhile is in it.
    cpu = experiment.collector_cpu_seconds() - before
    passed = time.monotonic() - begin
    series = sum(not line.startswith(b"#") for line in text.splitlines())
    return (f"{count} scrapes of {series} series ({len(text) / 1e6:.1f} MB): "
            f"{1000 * cpu / count:.0f} ms CPU each, samples of {passed:.1f} s "
            "included")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build",
                        help="build directory (default build)")
    parser.add_argument("--processes", type=int, default=50,
                        help="how many programs (default 50)")
    parser.add_argument("--seconds", type=float, default=60,
                        help="how long to measure (default 60)")
    parser.add_argument("--settle", type=float, default=20,
                        help="seconds to wait first (default 20)")
    parser.add_argument("--watch", action="store_true",
                        help="leave the shim out and watch them by name")
    parser.add_argument("--stop", action="store_true",
                        help="stop them before measuring: for more programs "
                        "than the machine can run")
    parser.add_argument("--top", type=int, default=20,
                        help="callsites with series of their own (default "
                        "20)")
    parser.add_argument("--scrapes", type=int, default=0,
                        help="how many scrapes to measure (default none)")
    arguments = parser.parse_args()
    experiment = services.Experiment(os.path.abspath(arguments.build), 1)
    environment = dict(os.environ)
    options = ["--top", str(arguments.top)]
    if arguments.watch:
        options += ["--watch", PROGRAM]
    else:
        environment.update(LD_PRELOAD=experiment.shim,
                           HEAPLEDGER_DIR=experiment.ledgers)
    scrapes = ""
    try:
        for _ in range(arguments.processes):
            experiment.started.append(subprocess.Popen(
                [os.path.join(experiment.programs, PROGRAM), "3600"],
                env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL))
        programs = list(experiment.started)
        base = experiment.collect(*options)
        time.sleep(arguments.settle)
        if arguments.stop:
            for program in programs:
                program.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        cpu = experiment.collector_cpu_seconds()
        time.sleep(arguments.seconds)
        passed = time.monotonic() - begin
        share = (experiment.collector_cpu_seconds() - cpu) / passed
        with open(f"/proc/{experiment.collector.pid}/status") as file:
            resident = next(line for line in file if line.startswith("VmRSS"))
        if arguments.scrapes:
            scrapes = scrape_cost(experiment, base + "/metrics",
                                  arguments.scrapes)
    finally:
        experiment.stop()
    print(f"{arguments.processes} programs: {100 * share:.2f} % of a core over "
          f"{passed:.0f} s, resident {resident.split(':')[1].strip()}")
    if scrapes:
        print(scrapes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
