#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to watch Python: CPU of scripts that allocate a lot.

Every way to watch is run in every round, one after the other, so that what else
the machine does hits all of them. Prints, per script, CPU seconds of the bare
run and the ratio to it: median, and lowest to highest of the rounds' own ratios.

Usage: python_cost.py SHIM [--python PATH] [--rounds N] [--size N]
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile

SCRIPTS = {
    "objects": """
class Node:
    def __init__(self, value, children):
        self.value = value
        self.children = children
        self.tags = {"depth": value, "name": str(value)}

def tree(depth):
    return Node(depth, [tree(depth - 1) for _ in range(3)] if depth else [])

def walk(node):
    return len(node.tags) + sum(walk(child) for child in node.children)

for _ in range(SIZE):
    walk(tree(6))
""",
    "json": """
import json

def record(i):
    return {"id": i, "name": "user %d" % i, "score": i * 1.5,
            "tags": ["a%d" % i, "b%d" % (i % 7)], "nested": {"x": [i, i + 1]}}

for _ in range(SIZE):
    text = json.dumps([record(i) for i in range(600)])
    assert len(json.loads(text)) == 600
""",
    "text": """
import collections
import re

def lines(n):
    for i in range(n):
        yield "GET /page/%d?q=%d HTTP/1.1 from 10.0.%d.%d" % (
            i % 97, i, i % 251, i % 13)

def count(n):
    pages = collections.Counter()
    hosts = collections.defaultdict(list)
    for line in lines(n):
        verb, page, _, _, host = line.split(" ")
        found = re.match(r"/page/(\\d+)", page)
        pages[found.group(1) + verb.lower()] += 1
        hosts[host].append(page)
    return sorted((len(v), k) for k, v in hosts.items())[-3:]

for _ in range(SIZE):
    count(6000)
""",
}


class Ways:
    """Each way to run a script: command and environment."""

    def __init__(self, options, scratch):
        self.python = options.python
        self.scratch = scratch
        shim = {"LD_PRELOAD": options.shim,
                "HEAPLEDGER_DIR": os.path.join(scratch, "ledgers")}
        own = {"PYTHONMALLOC": "malloc"}
        self.ways = {
            "bare": (self.plain, {}),
            "bare, malloc": (self.plain, own),
            "native stacks": (self.plain, {**shim, **own}),
            "Python frames": (
                self.plain, {**shim, **own, "HEAPLEDGER_PYTHON": "frames"}),
            "frames, arenas": (
                self.plain, {**shim, "HEAPLEDGER_PYTHON": "frames"}),
            "frames, sampled": (
                self.plain, {**shim, **own, "HEAPLEDGER_PYTHON": "frames",
                             "HEAPLEDGER_MODE": "sampled",
                             "HEAPLEDGER_SAMPLE_BYTES": "65536"}),
            "tracemalloc 25": (
                lambda script: [self.python, "-X", "tracemalloc=25", script],
                {}),
        }
        if shutil.which("heaptrack"):
            self.ways["heaptrack"] = (
                lambda script: ["heaptrack", "-o",
                                os.path.join(scratch, "heaptrack"),
                                self.python, script], own)
        if shutil.which("memray"):
            self.ways["memray native"] = (
                lambda script: ["memray", "run", "--native", "-f", "-o",
                                os.path.join(scratch, "memray"), script], own)

    def plain(self, script):
        return [self.python, script]

    def cpu_seconds(self, way, script):
        """CPU of the command and what it started."""
        shutil.rmtree(os.path.join(self.scratch, "ledgers"),
                      ignore_errors=True)
        os.mkdir(os.path.join(self.scratch, "ledgers"), 0o700)
        command, extra = self.ways[way]
        command = command(script)
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("HEAPLEDGER_", "PYTHON"))}
        environment.update(extra, PYTHONHASHSEED="0")
        child = os.fork()
        if child == 0:
            quiet = os.open(os.devnull, os.O_RDWR)
            for descriptor in range(3):
                os.dup2(quiet, descriptor)
            os.execvpe(command[0], command, environment)
        _, status, usage = os.wait4(child, 0)
        if status != 0:
            sys.exit(f"python_cost: {way}: {command} ended with {status}")
        return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shim")
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=40)
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="heapledger-cost-")
    try:
        ways = Ways(options, scratch)
        for name, text in SCRIPTS.items():
            script = os.path.join(scratch, f"job_{name}.py")
            with open(script, "w", encoding="utf-8") as out:
                out.write(f"SIZE = {options.size}\n{text}")
            seconds = {way: [] for way in ways.ways}
            for _ in range(options.rounds):
                for way in ways.ways:
                    seconds[way].append(ways.cpu_seconds(way, script))
            bare = seconds["bare"]
            print(f"{name}: bare {statistics.median(bare):.2f} s CPU")
            for way, values in seconds.items():
                ratios = [value / of for value, of in zip(values, bare)]
                print(f"  {way:16} {statistics.median(ratios):6.2f}  "
                      f"({min(ratios):.2f} to {max(ratios):.2f})", flush=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
