# SPDX-License-Identifier: Apache-2.0
"""Holds the ledgers of whole process trees against an independent count.

The counting preload stands before the shim, so both see the same calls. Its
file of a pid holds what the pid's last image did, or the process itself if it
was forked and not replaced; and so does the pid's current ledger.
"""

import glob
import json
import os
import re
import shutil
import struct
import subprocess

import harness

OWN_ALLOCATOR = 3  # OffReason: no call has come through to the shim
# Ledgers beyond are read by module: a compiler's hundred thousand stacks are
# half a gigabyte of JSON.
LARGE_LEDGER_BYTES = 2 << 20


class CountedTest(harness.ShimTest):
    """Runs programs bare, under the shim, and under counter and shim."""

    def setUp(self):
        super().setUp()
        self.counts = os.path.join(self.scratch, "counts")
        os.mkdir(self.counts)

    def need(self, *programs):
        """The paths of programs; skips the test where one is missing.

        A program is a name, or a list of them and of patterns, best first.
        """
        found = []
        for candidates in programs:
            if isinstance(candidates, str):
                candidates = [candidates]
            paths = [path for path in map(self.find, candidates) if path]
            if not paths:
                self.skipTest(f"{candidates[-1]} is not installed")
            found.append(paths[0])
        return found[0] if len(found) == 1 else found

    @staticmethod
    def find(candidate):
        """A path by name from the system's directories, or by pattern."""
        if "/" in candidate:
            return max(glob.glob(candidate), default=None)
        return shutil.which(candidate, path="/usr/bin:/bin:/usr/sbin:/sbin")

    def write(self, name, text):
        path = os.path.join(self.scratch, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def counted(self, env=None):
        """Keyword arguments of start() for counter and shim."""
        return {"preload": [harness.COUNTER, harness.SHIM],
                "env": {"COUNT_PRELOAD_DIR": self.counts, **(env or {})}}

    def run_three(self, command, status=0, env=None, before=lambda: None,
                  after=lambda: None, minimum=1, **kwargs):
        """Demands the same of all three runs, and exact ledgers of the last.

        `before` prepares the ground of each run; what `after` returns must be
        the same for all. Returns the reports of the last run by pid; none of a
        mode that does not count every block.
        """
        ways = {"bare": {"preload": False, "env": env},
                "shim": {"preload": [harness.SHIM], "env": env}}
        if self.counts_all:
            ways["counted"] = self.counted(env)
        expected = None
        for way, arguments in ways.items():
            self.clear()
            before()
            done = self.run_command(command, **arguments, **kwargs)
            self.assertEqual(done.status, status, (way, done.out, done.err))
            seen = (done.out, done.err, after())
            if expected is None:
                expected = seen
            self.assertEqual(seen, expected, way)
            if way == "shim":
                self.assertGreaterEqual(len(self.ledger_files()), minimum)
                for path in self.ledger_files():
                    self.report(path)
        self.output = done.out
        return self.check_ledgers(minimum) if self.counts_all else {}

    def clear(self):
        for directory in (self.ledgers, self.counts):
            for path in glob.glob(os.path.join(directory, "*")):
                os.unlink(path)

    def report(self, what):
        if os.stat(what).st_blocks * 512 <= LARGE_LEDGER_BYTES:
            return super().report(what)
        done = subprocess.run(
            [harness.CLI, "report", what, "--json", "--limit", "0", "--by",
             "module", "--dir", self.ledgers],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
            env=self.environment(False))
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.check_sums({**report,
                         "callsites": report["modules"] + [report["other"]]})
        return report

    def read_count(self, path):
        with open(path, "rb") as file:
            return dict(zip(("allocations", "allocated_bytes", "frees"),
                            struct.unpack("QQQ", file.read())))

    def check_ledgers(self, minimum=1):
        """Every process that allocated or freed has a ledger, and it is exact.

        Returns pid -> reports of its images, oldest first.
        """
        images = {}
        for path in glob.glob(os.path.join(self.ledgers, "*.ledger")):
            pid, image = re.fullmatch(r"(\d+)-\d+(?:\.(\d+))?\.ledger",
                                      os.path.basename(path)).groups()
            order = float("inf") if image is None else int(image)
            images.setdefault(int(pid), {})[order] = path
        off = {int(name.split("-")[0]): reason
               for name, reason in self.off_markers().items()}
        counts = {int(os.path.basename(path).split(".")[0]):
                  self.read_count(path)
                  for path in glob.glob(os.path.join(self.counts, "*.count"))}
        self.assertLessEqual(set(images), set(counts))
        self.assertGreaterEqual(len(images), minimum)
        reports = {}
        for pid, count in sorted(counts.items()):
            if pid in off or pid not in images:
                # Its image never called an allocation function.
                self.assertEqual(set(count.values()), {0}, (pid, off))
                self.assertEqual(off.get(pid, OWN_ALLOCATOR), OWN_ALLOCATOR)
            reports[pid] = [self.report(path) for _, path in
                            sorted(images.get(pid, {}).items())]
            if pid in off or pid not in images:
                continue
            last = reports[pid][-1]
            self.assertIn(float("inf"), images[pid])
            self.assertEqual(last["process"]["pid"], pid)
            self.assertEqual(last["process"]["state"], "exited",
                             last["process"])
            for report in reports[pid][:-1]:
                self.assertEqual(report["process"]["state"], "replaced")
            self.show(last, count)
            self.compare(last, count)
        return reports

    def compare(self, report, count):
        self.assertEqual({name: report["totals"][name] for name in count},
                         count, (report["process"], report["degraded"]))

    @staticmethod
    def show(report, count):
        """One line for each ledger, with HEAPLEDGER_TEST_SHOW set."""
        if not os.environ.get("HEAPLEDGER_TEST_SHOW"):
            return
        totals = report["totals"]
        print("%-20s %9d allocations, off by" %
              (os.path.basename(report["process"]["exe"]),
               count["allocations"]),
              *(totals[name] - count[name] for name in count),
              report["degraded"], flush=True)
