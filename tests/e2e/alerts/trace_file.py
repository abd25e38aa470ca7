# SPDX-License-Identifier: Apache-2.0
"""Traces in a file, one after the other: a line

    NAME LIMIT ONSET OOM COUNT

and COUNT little-endian 64-bit numbers, the bytes of each second. ONSET and OOM
are seconds, -1 for none. The same is read by judge_traces.
"""

import array
import sys


class Trace:
    """`values`: bytes by second, up to and without the one at which the limit
    is reached. `onset`: the second at which the growth begins, None for what is
    harmless. `oom`: the second of the end, None for what ends well. `facts`:
    what the dice gave, for the reader of a report."""

    def __init__(self, name, limit, onset, values, facts=None):
        self.name = name
        self.limit = limit
        self.onset = onset
        self.facts = facts or {}
        self.oom = next(
            (t for t, value in enumerate(values) if value >= limit), None)
        # A page is the least that a kernel counts.
        self.values = array.array(
            "Q", (max(int(value), 4096) for value in values[:self.oom]))

    @property
    def family(self):
        return self.name.rsplit("-", 1)[0]

    @property
    def seconds_to_oom(self):
        return self.oom - self.onset


def write(trace, file):
    onset = -1 if trace.onset is None else trace.onset
    oom = -1 if trace.oom is None else trace.oom
    file.write(f"{trace.name} {trace.limit} {onset} {oom} "
               f"{len(trace.values)}\n".encode())
    values = trace.values
    if sys.byteorder != "little":
        values = array.array("Q", values)
        values.byteswap()
    values.tofile(file)
