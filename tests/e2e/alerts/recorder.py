# SPDX-License-Identifier: Apache-2.0
"""Records the live bytes of the ten services under the shim, which of them
leak is known, ten seconds of a service in one of ours."""

import os
import re
import sys
import time
import urllib.request

from trace_file import Trace

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "services"))
import services  # noqa: E402

SPEED = 10
LIVE = re.compile(r'heapledger_heap_live_bytes\{[^}]*pid="(\d+)"[^}]*\} (\S+)')


def record(build, seconds):
    """A trace of each service. A leak gets the limit that it reaches in the
    end; what does not leak gets a quarter more than it ever had."""
    experiment = services.Experiment(os.path.abspath(build), 1 / SPEED)
    values = {}
    try:
        base = experiment.collect()
        pids = experiment.start(seconds + 60, SPEED)
        begin = time.monotonic()
        for sample in range(int(seconds * SPEED)):
            time.sleep(max(0, begin + sample / SPEED - time.monotonic()))
            with urllib.request.urlopen(base + "/metrics/memory",
                                        timeout=20) as answer:
                page = answer.read().decode()
            for pid, value in LIVE.findall(page):
                if int(pid) in pids:
                    values.setdefault(pids[int(pid)], []).append(
                        int(float(value)))
    finally:
        experiment.stop()
    traces = []
    for name, live in values.items():
        leaks = services.SERVICES[name] is not None
        limit = max(live) if leaks else max(live) * 5 // 4
        family = "leak-recorded" if leaks else "recorded"
        traces.append(Trace(f"{family}-{name}", limit, 0 if leaks else None,
                            live))
    return traces
