# SPDX-License-Identifier: Apache-2.0
"""Runs programs bare and under the shim, and reads their ledgers back.

Every test has a ledger directory of its own, so tests run side by side. The
ledgers are read with `heapledger report --json`, the way a user reads them.

Environment, set by ctest: HEAPLEDGER_CLI, HEAPLEDGER_SHIM, HEAPLEDGER_COUNTER
(the counting preload), HEAPLEDGER_PROGRAMS (directory of test programs),
HEAPLEDGER_TEST_MODE (one of MODES: how the shim measures where a test does not
say; default exact). By scripts/scenarios: HEAPLEDGER_TEST_RUNS (file that gets
a line for every run).
"""

import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

CLI = os.environ.get("HEAPLEDGER_CLI", "")
SHIM = os.environ.get("HEAPLEDGER_SHIM", "")
COUNTER = os.environ.get("HEAPLEDGER_COUNTER", "")
PROGRAMS = os.environ.get("HEAPLEDGER_PROGRAMS", "")

# The settings of each mode; such that small programs get to feel it.
MODES = {
    "exact": {},
    "sampled": {"HEAPLEDGER_MODE": "sampled",
                "HEAPLEDGER_SAMPLE_BYTES": "1000"},
    "dormant": {"HEAPLEDGER_MODE": "dormant"},
    "adaptive": {"HEAPLEDGER_STACK": "adaptive", "HEAPLEDGER_BUDGET": "1"},
    "caller": {"HEAPLEDGER_STACK": "caller"},
    "frame-pointer": {"HEAPLEDGER_STACK": "frame-pointer"},
}


class Result:
    """How a command ended: status (negative for a signal), stdout, stderr."""

    def __init__(self, status, out, err, pid):
        self.status, self.out, self.err, self.pid = status, out, err, pid


def kind_of_run(command, preload):
    if command[0] == CLI:
        return "gate" if command[1:2] == ["gate"] else "tool"
    words = list(command) + ([SHIM] if preload is True else preload or [])
    return "shim" if any(SHIM in word for word in words) else "bare"


def note_run(kind):
    """For the table of scripts/scenarios."""
    path = os.environ.get("HEAPLEDGER_TEST_RUNS")
    if path:
        with open(path, "a", encoding="ascii") as file:
            file.write(kind + "\n")


class ShimTest(unittest.TestCase):
    """A test with temporary directories for ledgers and for files."""

    maxDiff = None
    mode = os.environ.get("HEAPLEDGER_TEST_MODE", "exact")

    @property
    def counts_all(self):
        """Whether the mode books every block as itself."""
        return self.mode not in ("sampled", "dormant")

    def setUp(self):
        self.scratch = tempfile.mkdtemp(prefix="heapledger-e2e-")
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        # tmpfs, where ledgers live by default.
        self.ledgers = tempfile.mkdtemp(prefix="heapledger-e2e-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.ledgers, ignore_errors=True)

    def environment(self, preload=True, **extra):
        """The environment of a run; preload may be a list of libraries."""
        environment = dict(os.environ)
        for name in list(environment):
            if name.startswith("HEAPLEDGER_") or name == "LD_PRELOAD":
                del environment[name]
        if preload is True:
            preload = [SHIM]
        if preload:
            environment["LD_PRELOAD"] = ":".join(preload)
            environment["HEAPLEDGER_DIR"] = self.ledgers
            environment.update(MODES[self.mode])
        environment.update(extra)
        return environment

    def start(self, command, preload=True, env=None, **kwargs):
        """Starts a command; stdout and stderr are pipes unless given."""
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen(
            command, env=self.environment(preload, **(env or {})), **kwargs)
        process.kind = kind_of_run(command, preload)
        note_run(process.kind)
        return process

    def finish(self, process, timeout=120):
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            note_run(f"{process.kind} hung")
            process.kill()
            out, err = process.communicate()
            self.fail(f"{process.args} hung; stdout {out!r}, stderr {err!r}")
        return Result(process.returncode, out, err, process.pid)

    def run_command(self, command, preload=True, env=None, timeout=120,
                    **kwargs):
        return self.finish(self.start(command, preload, env, **kwargs),
                           timeout)

    def run_both(self, command, env=None, timeout=120, **kwargs):
        """Runs bare, then under the shim, and demands the same of both."""
        bare = self.run_command(command, preload=False, env=env,
                                timeout=timeout, **kwargs)
        shimmed = self.run_command(command, env=env, timeout=timeout, **kwargs)
        self.assertEqual(bare.status, shimmed.status, (bare.err, shimmed.err))
        self.assertEqual(bare.out, shimmed.out)
        self.assertEqual(bare.err, shimmed.err)
        return shimmed

    def collect(self, *options):
        """Starts a collector over this test's ledgers; its base URL."""
        process = subprocess.Popen(
            [CLI, "collect", "--listen", "127.0.0.1:0", "--dir",
             self.ledgers, "--interval", "0.2", *options],
            env=self.environment(False), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        line = process.stderr.readline().decode()
        match = re.search(r"http://[\d.]+:\d+", line)
        self.assertIsNotNone(match, line)
        return match.group(0)

    def ledger_files(self, pid=None):
        """Ledger files, optionally of one process, oldest image first."""
        pattern = "*" if pid is None else f"{pid}-*"
        return sorted(
            glob.glob(os.path.join(self.ledgers, pattern + ".ledger")),
            key=lambda path: (os.path.getctime(path), path))

    def off_markers(self):
        """File name -> reason number of processes that are not measured."""
        return {
            os.path.basename(path): int(os.readlink(path))
            for path in glob.glob(os.path.join(self.ledgers, "*.off"))
        }

    def report(self, what):
        """The JSON report of a ledger file or a pid; checks its invariants."""
        done = subprocess.run(
            [CLI, "report", str(what), "--json", "--limit", "0", "--dir",
             self.ledgers],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
            env=self.environment(False))
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.check_sums(report)
        return report

    def check_sums(self, report):
        """The sum over callsites is the total is allocated minus freed."""
        totals = report["totals"]
        for name in ("live_bytes", "live_objects", "allocated_bytes",
                     "allocations", "freed_bytes", "frees"):
            self.assertEqual(
                sum(site[name] for site in report["callsites"]), totals[name],
                name)
        self.assertEqual(
            totals["live_bytes"], totals["inherited_bytes"] +
            totals["allocated_bytes"] - totals["freed_bytes"])
        self.assertEqual(
            totals["live_objects"], totals["inherited_objects"] +
            totals["allocations"] - totals["frees"])
        self.assertGreaterEqual(report["peak_live_bytes"],
                                totals["live_bytes"])
        self.assertEqual(report["corrupt_records"], 0)

    def only_report(self, pid=None):
        files = self.ledger_files(pid)
        self.assertEqual(len(files), 1, files)
        return self.report(files[0])

    @staticmethod
    def live_by_function(report, functions):
        """function -> [bytes, objects] live, for callsites in `functions`.

        A callsite belongs to the first function of its stack, from the
        allocation outwards, whose name without arguments is in `functions`.
        """
        live = {name: [0, 0] for name in functions}
        for site in report["callsites"]:
            for frame in site["stack"]:
                name = frame["function"].split("(")[0]
                if name in live:
                    live[name][0] += site["live_bytes"]
                    live[name][1] += site["live_objects"]
                    break
        return live


def program(name):
    return os.path.join(PROGRAMS, name)
