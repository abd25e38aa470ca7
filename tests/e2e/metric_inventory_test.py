# SPDX-License-Identifier: Apache-2.0
"""scripts/metric-inventory over a real collector and a program that grows."""

import os
import subprocess
import unittest

import harness
from metrics_page import PageTest


class InventoryTest(PageTest):

    INVENTORY = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                             "..", "..", "scripts", "metric-inventory")

    def inventory(self, base):
        done = subprocess.run(["/usr/bin/python3", self.INVENTORY, base],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60)
        rows = [[cell.strip() for cell in line.strip("|").split("|")]
                for line in done.stdout.decode().splitlines()[2:]]
        return done.returncode, rows

    def test_every_row_is_answered(self):
        # 10 times a second.
        growing = self.start([harness.program("grow_evenly"), "200000"])
        self.addCleanup(growing.stdout.close)
        self.addCleanup(growing.stderr.close)
        self.addCleanup(growing.wait)
        self.addCleanup(growing.kill)
        python = self.start(["/usr/bin/python3", "-c", "input()"],
                            stdin=subprocess.PIPE,
                            env={"HEAPLEDGER_PYTHON": "metrics"})
        for pipe in (python.stdin, python.stdout, python.stderr):
            self.addCleanup(pipe.close)
        self.addCleanup(python.wait)
        self.addCleanup(python.kill)
        base = self.sampled()
        code, rows = self.inventory(base)
        self.assertEqual(code, 1, "growth is not known at once")
        growth = "process_memory_growth_rate_bytes_per_second"
        found = self.until(
            base, lambda found: growth in self.of(found, growing.pid), 180)
        values = self.of(found, growing.pid)
        self.assertEqual(values[growth],
                         values["memory_growth_rate_bytes_per_second"])
        # Rounds take a little longer than their pause.
        self.assertLess(values[growth], 2.1e6)
        self.assertGreater(values[growth], 1.2e6)
        code, rows = self.inventory(base)
        self.assertEqual(code, 0, rows)
        self.assertEqual(len(rows), 8 + 9 + 8 + 6 + 3)
        for row, metric, answer in rows:
            self.assertTrue(answer.startswith(("served", "not served: ")),
                            (row, metric, answer))
            if row[0] in "ABCE":
                self.assertTrue(answer.startswith("served"), (row, answer))


if __name__ == "__main__":
    unittest.main()
