# SPDX-License-Identifier: Apache-2.0
"""`heapledger collect` beside programs at full speed: what Prometheus scrapes
is valid, exact, and costs the program nothing but the reading."""

import os
import signal
import time
import unittest
import urllib.request

import harness
from scenarios import scenario
from metrics_page import promtool_says, samples


class MetricsTest(harness.ShimTest):

    def page(self, url):
        with urllib.request.urlopen(url, timeout=20) as answer:
            self.assertTrue(answer.headers["Content-Type"].startswith(
                "text/plain; version=0.0.4"))
            return answer.read().decode()

    def until(self, base, condition, seconds=30):
        """Scrapes until `condition(samples)`; the page and its samples."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.page(base + "/metrics")
            found = samples(text)
            if condition(found):
                return text, found
            self.assertLess(time.monotonic(), deadline, text[-2000:])
            time.sleep(0.1)

    def busy(self, seconds="60"):
        process = self.start([harness.program("busy"), "2", seconds])
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"started\n")
        return process

    def values(self, found, pid, name):
        return {tuple(sorted(labels.items())): value
                for sample, labels, value in found
                if sample == name and labels.get("pid") == str(pid)}

    def check_exact(self, found, pid):
        one = lambda name: list(self.values(found, pid, name).values())[0]
        heap, callsite = "heapledger_heap_", "heapledger_callsite_"
        for total, part in ((heap + "live_bytes", "live_bytes"),
                            (heap + "live_objects", "live_objects"),
                            (heap + "allocated_bytes_total",
                             "allocated_bytes_total"),
                            (heap + "allocations_total",
                             "allocations_total")):
            parts = self.values(found, pid, callsite + part)
            self.assertTrue(any(("callsite", "_other") in key
                                for key in parts), parts)
            self.assertEqual(sum(parts.values()), one(total), total)
        self.assertEqual(
            one(heap + "live_bytes"),
            one(heap + "allocated_bytes_total") -
            one(heap + "freed_bytes_total"))
        self.assertEqual(
            one(heap + "live_objects"),
            one(heap + "allocations_total") - one(heap + "frees_total"))
        self.assertGreaterEqual(one(heap + "peak_bytes"),
                                one(heap + "live_bytes"))
        self.assertEqual(
            [value for name, _, value in found
             if name == "heapledger_invariant_violations_total"], [0])

    @scenario(14, 55)
    def test_a_page_is_valid_and_exact_at_full_speed(self):
        process = self.busy()
        base = self.collect()
        text, found = self.until(base, lambda found: any(
            "Growing" in labels.get("function", "")
            for _, labels, _ in found))
        for _ in range(10):
            self.check_exact(found, process.pid)
            time.sleep(0.1)
            text = self.page(base + "/metrics")
            found = samples(text)
        names = [line.split()[2] for line in text.splitlines()
                 if line.startswith("# TYPE")]
        self.assertEqual(len(names), len(set(names)))
        keys = [(name, tuple(sorted(labels.items())))
                for name, labels, _ in found]
        self.assertEqual(len(keys), len(set(keys)), "a series stands twice")
        said = promtool_says(text)
        if said is None:
            self.skipTest("promtool is not installed")
        self.assertEqual(said, [])

    def test_nothing_is_done_to_the_program(self):
        process = self.busy()
        base = self.collect()
        self.until(base, lambda found: self.values(
            found, process.pid, "heapledger_heap_live_bytes"))
        task = f"/proc/{process.pid}/task"
        threads = sorted(os.listdir(task))
        self.assertEqual(len(threads), 3, "main and its two")
        for _ in range(20):
            self.page(base + "/metrics")
            for thread in threads:
                with open(f"{task}/{thread}/status") as file:
                    status = dict(line.rstrip("\n").split(":\t", 1)
                                  for line in file if ":\t" in line)
                self.assertEqual(status["TracerPid"], "0")
                self.assertEqual(int(status["SigPnd"], 16), 0)
                self.assertEqual(int(status["SigBlk"], 16), 0)
                # 32 and 33 are glibc's own.
                self.assertEqual(int(status["SigCgt"], 16) & 0x7fffffff, 0)
                self.assertNotIn(status["State"][0], "tT")
        self.assertEqual(sorted(os.listdir(task)), threads)
        # 0, 1, 2 and no descriptor of ours.
        self.assertEqual(len(os.listdir(f"/proc/{process.pid}/fd")), 3)

    @scenario(57)
    def test_series_end_with_the_process(self):
        process = self.busy()
        base = self.collect()
        self.until(base, lambda found: self.values(
            found, process.pid, "heapledger_callsite_live_bytes"))
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.until(base, lambda found: not any(
            labels.get("pid") == str(process.pid) for _, labels, _ in found))

    @scenario(57)
    def test_counters_only_grow(self):
        process = self.busy()
        base = self.collect()
        _, found = self.until(base, lambda found: self.values(
            found, process.pid, "heapledger_heap_allocations_total"))
        before = {}
        for _ in range(10):
            for name in ("allocated_bytes", "freed_bytes", "allocations",
                         "frees"):
                series = f"heapledger_heap_{name}_total"
                value = list(self.values(found, process.pid,
                                         series).values())[0]
                self.assertGreaterEqual(value, before.get(series, 0))
                before[series] = value
            time.sleep(0.25)
            found = samples(self.page(base + "/metrics"))


if __name__ == "__main__":
    unittest.main()
