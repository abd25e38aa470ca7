# SPDX-License-Identifier: Apache-2.0
"""`heapledger baseline` and `collect --memory-baseline`: what is normal is
learned of real programs, a leak is not, and the rules are Prometheus'."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import harness

STEADY = """
import sys, time
kept = [bytearray(1 << 20) for _ in range(32)]
print("started", flush=True)
while True:
    [bytes(1000) for _ in range(100)]
    time.sleep(0.005)
"""
LEAKING = """
import sys, time
kept = []
print("started", flush=True)
while True:
    kept.append(bytearray(20000))
    time.sleep(0.005)
"""


class BaselineTest(harness.ShimTest):

    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.file = os.path.join(directory.name, "normal.json")

    def program(self, text, start=None):
        command = [sys.executable, "-c", text]
        process = (start or self.start)(command)
        self.addCleanup(process.stdout.close)
        if process.stderr:
            self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"started\n")
        return process

    def baseline(self, *words):
        return subprocess.run([harness.CLI, "baseline", *words],
                              env=self.environment(False),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=120, check=False)

    def show(self):
        done = self.baseline("show", self.file, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["programs"]

    def record(self, pid, *words):
        return self.baseline("record", str(pid), "-o", self.file, "--duration",
                             "6s", "--interval", "1s", "--dir", self.ledgers,
                             *words)

    def test_a_measured_program_is_learned(self):
        process = self.program(STEADY)
        done = self.record(process.pid)
        self.assertEqual(done.returncode, 0, done.stderr)
        program, = self.show()
        self.assertGreaterEqual(program["samples"], 3)
        metrics = program["metrics"]
        self.assertEqual(set(metrics), {
            "rss_bytes", "vms_bytes", "usage_ratio", "available_bytes",
            "heap_live_bytes", "heap_live_objects", "open_fds"})
        self.assertGreater(metrics["rss_bytes"]["min"], 32 << 20)
        self.assertGreater(metrics["heap_live_bytes"]["min"], 32 << 20)
        self.assertLess(metrics["heap_live_bytes"]["max"], 64 << 20)
        for statistics in metrics.values():
            self.assertLessEqual(statistics["min"], statistics["median"])
            self.assertLessEqual(statistics["p95"], statistics["p99"])
            self.assertLessEqual(statistics["p99"], statistics["max"])
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            rss = int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) << 10
        self.assertLess(abs(metrics["rss_bytes"]["max"] / rss - 1), 0.1)

        # A second recording keeps the first as the previous baseline.
        self.assertEqual(self.record(process.pid).returncode, 0)
        done = self.baseline("show", self.file, "--json", "--previous")
        previous, = json.loads(done.stdout)["programs"]
        self.assertEqual(previous["samples"], program["samples"])

        done = self.baseline("rules", self.file, "--min-samples", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("heapledger_heap_live_bytes{process=", done.stdout)
        self.check_rules(done.stdout)
        few = self.baseline("rules", self.file, "--min-samples", "1000")
        self.assertEqual(few.returncode, 1)
        self.assertIn("record for longer", few.stderr)

    def check_rules(self, text):
        if shutil.which("promtool") is None:
            return
        path = self.file + ".yml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        checked = subprocess.run(["promtool", "check", "rules", path],
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True,
                                 check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        self.assertRegex(checked.stdout, r"SUCCESS: [1-9]\d* rules found")

    def test_a_program_without_a_ledger_is_learned(self):
        process = self.program(STEADY, lambda command: subprocess.Popen(
            command, stdout=subprocess.PIPE))
        done = self.record(process.pid)
        self.assertEqual(done.returncode, 0, done.stderr)
        program, = self.show()
        self.assertNotIn("heap_live_bytes", program["metrics"])
        self.assertGreater(program["metrics"]["rss_bytes"]["min"], 32 << 20)

    def test_a_leak_is_not_learned(self):
        process = self.program(LEAKING)
        done = self.baseline("record", str(process.pid), "-o", self.file,
                             "--duration", "15s", "--dir", self.ledgers)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("grew while it was looked at", done.stderr)
        self.assertFalse(os.path.exists(self.file))

    def test_nobody_is_an_error(self):
        done = self.baseline("record", "no-such-program", "-o", self.file,
                             "--duration", "5s")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no running program", done.stderr)

    def test_a_collector_keeps_a_file_and_gives_it(self):
        process = self.program(STEADY)
        base = self.collect("--memory-baseline", self.file)
        self.assertTrue(os.path.exists(self.file), "written at once")
        deadline = time.monotonic() + 60
        while True:
            with urllib.request.urlopen(base + "/metrics/memory",
                                        timeout=20) as answer:
                page = answer.read().decode()
            if re.search(r"waiting_samples\{.*\} [1-9]", page):
                break
            self.assertLess(time.monotonic(), deadline, page)
            time.sleep(0.2)
        # Half an hour has not passed, so nothing has been learned.
        self.assertRegex(page, r"heapledger_baseline_frozen\{.*\} 0")
        self.assertNotIn("heapledger_baseline_value{", page)
        process.send_signal(signal.SIGKILL)
        other = self.file + ".copy"
        done = self.baseline("record", "--collector",
                             base.removeprefix("http://"), "-o", other)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(other, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["version"], 1)

    def test_a_file_that_is_none_is_refused(self):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write("{}")
        for words in (["show", self.file], ["rules", self.file],
                      ["record", "1", "-o", self.file]):
            done = self.baseline(*words)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("is no baseline of memory", done.stderr)


if __name__ == "__main__":
    unittest.main()
