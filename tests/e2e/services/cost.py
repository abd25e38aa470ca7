# SPDX-License-Identifier: Apache-2.0
"""Measures what `heapledger collect` takes of a core while it looks at many
programs, each with 50 busy callsites, once a second."""

import argparse
import os
import subprocess
import sys
import time

import services


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
    arguments = parser.parse_args()
    experiment = services.Experiment(os.path.abspath(arguments.build), 1)
    environment = dict(os.environ, LD_PRELOAD=experiment.shim,
                       HEAPLEDGER_DIR=experiment.ledgers)
    try:
        for _ in range(arguments.processes):
            experiment.started.append(subprocess.Popen(
                [os.path.join(experiment.programs, "hot_callsites"), "3600"],
                env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL))
        experiment.collect()
        time.sleep(arguments.settle)
        begin = time.monotonic()
        cpu = experiment.collector_cpu_seconds()
        time.sleep(arguments.seconds)
        passed = time.monotonic() - begin
        share = (experiment.collector_cpu_seconds() - cpu) / passed
        with open(f"/proc/{experiment.collector.pid}/status") as file:
            resident = next(line for line in file if line.startswith("VmRSS"))
    finally:
        experiment.stop()
    print(f"{arguments.processes} programs: {100 * share:.2f} % of a core over "
          f"{passed:.0f} s, resident {resident.split(':')[1].strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
