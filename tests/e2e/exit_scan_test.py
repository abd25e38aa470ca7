# SPDX-License-Identifier: Apache-2.0
"""The scan at exit on programs with known leaks, and on real ones.

Environment beside harness.py's: HEAPLEDGER_LEAK_REPORT (prints a ledger's
scan), HEAPLEDGER_LEAKS (directory of the corpus).
"""

import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import unittest

import harness

REPORT = os.environ["HEAPLEDGER_LEAK_REPORT"]
LEAKS = os.environ["HEAPLEDGER_LEAKS"]
sys.path.insert(0, LEAKS)
import corpus  # noqa: E402

SCAN = {"HEAPLEDGER_SCAN": "exit"}
COUNTS = ("direct_bytes", "direct_objects", "indirect_bytes",
          "indirect_objects")
LEVELS = ("-O0", "-O2")


class ScanTest(harness.ShimTest):

    def scans(self, pid=None):
        """The scans of all ledgers, or of a process' last image."""
        files = self.ledger_files(pid)
        done = subprocess.run([REPORT, *files], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        scans = [json.loads(line) for line in done.stdout.splitlines()]
        for scan in scans:
            self.assertEqual(scan["corrupt_records"], 0)
        return scans

    def scan_of(self, command, env=None, status=0, **kwargs):
        done = self.run_command(command, env={**SCAN, **(env or {})}, **kwargs)
        self.assertEqual(done.status, status, (done.out, done.err))
        scan, = self.scans(done.pid)
        return scan

    @staticmethod
    def by_function(scan, functions):
        """Leaks by the first function of the stack that is in `functions`."""
        found = {}
        for leak in scan["leaks"]:
            names = [name.split("(")[0] for name in leak["stack"]]
            name = next((name for name in names if name in functions),
                        " <- ".join(names))
            sums = found.setdefault(name, [0, 0, 0, 0])
            for i, count in enumerate(COUNTS):
                sums[i] += leak[count]
        return found


class CorpusTest(ScanTest):

    def build(self, source, language, output, options):
        path = f"{output}.{language}"
        prelude = '#include "prelude.h"\n'
        if language == corpus.CXX:
            prelude += corpus.CXX_PRELUDE
        with open(path, "w", encoding="utf-8") as out:
            out.write(source if "prelude.h" in source else prelude + source)
        compiler = "gcc" if language == corpus.C else "g++"
        subprocess.run([compiler, "-g", "-w", "-fno-builtin",
                        # Sites that differ in their names alone stay two.
                        "-fno-ipa-icf", "-I", LEAKS,
                        *options, path, "-o", output, "-pthread", "-ldl"],
                       check=True)
        return output

    def build_all(self, level):
        jobs = [(source, language, os.path.join(self.scratch, name), [level])
                for name, language, _, source in corpus.PROGRAMS]
        self.plugin = os.path.join(self.scratch, "plugin.so")
        jobs.append((corpus.PLUGIN, corpus.C, self.plugin,
                     [level, "-shared", "-fPIC"]))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda job: self.build(*job), jobs))

    def check(self, name, losses, level):
        done = self.run_command([os.path.join(self.scratch, name),
                                 self.plugin], env=SCAN)
        self.assertEqual(done.status, 0, (done.out, done.err))
        scans = {scan["pid"]: scan for scan in self.scans()}
        for path in self.ledger_files():
            os.unlink(path)
        own = scans.pop(done.pid)
        if "child" in name.split("_") and losses:
            self.assertEqual(own["leaks"], [])
            own, = scans.values()
        else:
            for other in scans.values():
                self.assertEqual(other["leaks"], [])
        self.assertEqual((own["state"], own["reason"]), ("complete", "none"))
        found = self.by_function(own, losses)
        if None in losses.values():  # libc's own block, of its own size
            self.assertEqual(list(found), list(losses))
            self.assertEqual(own["direct_objects"], 1)
        else:
            self.assertEqual(found, losses, level)

    def check_all(self, level):
        self.build_all(level)
        only = os.environ.get("HEAPLEDGER_TEST_ONLY", "")
        for name, _, losses, _ in corpus.PROGRAMS:
            if only not in name:
                continue
            with self.subTest(program=name, level=level):
                self.check(name, losses, level)

    def test_the_corpus_is_large_and_even(self):
        names = [name for name, *_ in corpus.PROGRAMS]
        self.assertEqual(len(names), len(set(names)))
        self.assertGreaterEqual(len(names), 60)
        leaking = sum(name.startswith("leak_") for name in names)
        self.assertGreaterEqual(min(leaking, len(names) - leaking),
                                len(names) * 2 // 5)

    def test_unoptimised(self):
        self.check_all("-O0")

    def test_optimised(self):
        self.check_all("-O2")


if __name__ == "__main__":
    unittest.main()
