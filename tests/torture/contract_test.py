# SPDX-License-Identifier: Apache-2.0
"""What an allocator promises, and what a ledger does: exact for any traffic.

Scenarios 11 (the contract of every entry point), 12 (realloc), 14 (exact at
quiescence), 15 (sizes), 16 (more than the tables hold).
"""

import json
import subprocess
import unittest

import harness
from harness import program
from scenarios import LONG, scenario
from torture import TortureTest

ALLOCATORS = ("libjemalloc.so.2", "libtcmalloc_minimal.so.4",
              "libmimalloc.so.2.0")


# What an allocator may do otherwise: larger blocks, and errno after a product
# that is too large (the shim sets it, tcmalloc does not).
OTHERS = (b"usable sizes", b"malloc to 16", b"calloc product")


class ContractTest(TortureTest):

    @scenario(11)
    def test_11_every_promise_is_kept(self):
        done = self.run_both([program("contract")])
        self.assertEqual(done.status, 0)
        self.assertNotIn(b"NO\n", done.out)
        self.assertNotIn(b"CHANGED", done.out)
        self.assertIn(b"bad_alloc 3, handlers 3", done.out)

    @scenario(11)
    def test_11_over_other_allocators(self):
        # Usable sizes are theirs, but for requests that are raised to 32.
        for allocator in ALLOCATORS:
            with self.subTest(allocator=allocator):
                bare = self.run_command([program("contract")],
                                        preload=[allocator])
                done = self.run_command([program("contract")],
                                        preload=[harness.SHIM, allocator])
                self.assertEqual((bare.status, self.promises(bare.out)),
                                 (done.status, self.promises(done.out)))

    @staticmethod
    def promises(out):
        return [line for line in out.splitlines()
                if not line.startswith(OTHERS)]


class ExactTest(TortureTest):

    def read_meanwhile(self, process):
        """Looks at a running program; what it says must add up at any time."""
        looks = 0
        while process.poll() is None:
            files = self.ledger_files(process.pid)
            if not files:
                continue
            read = subprocess.run(
                [harness.CLI, "report", files[-1], "--json", "--limit", "0"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                env=self.environment(False), check=False)
            if read.returncode != 0:
                continue  # it has just begun
            report = json.loads(read.stdout)
            self.check_sums(report)
            for name, value in report["totals"].items():
                self.assertGreaterEqual(value, 0, name)
            looks += 1
        return looks

    @scenario(12, 14)
    def test_12_14_random_traffic_is_booked_exactly(self):
        for seed in range(40 if LONG else 6):
            for threads in (1, 4):
                with self.subTest(seed=seed, threads=threads):
                    report = self.check_known(
                        [program("model"), str(seed), str(threads), "40000"])
                    for name in ("foreign_free", "unseen_free",
                                 "untracked_block"):
                        self.assertEqual(report["degraded"].get(name, 0), 0)

    @scenario(12, 14)
    def test_12_14_a_reader_sees_what_adds_up(self):
        command = [program("model"), "5", "2",
                   "20000000" if LONG else "1500000"]
        bare = self.run_command(command, preload=False)
        process = self.start(command)
        if self.counts_all:
            self.assertGreater(self.read_meanwhile(process), 3)
        done = self.finish(process)
        self.assertEqual((bare.status, bare.out), (done.status, done.out))
        self.check_live(self.only_report(done.pid), done.out)

    @scenario(14)
    def test_14_over_other_allocators(self):
        for allocator in ALLOCATORS:
            with self.subTest(allocator=allocator):
                self.check_known([program("model"), "3", "4", "40000"],
                                 preload=[harness.SHIM, allocator],
                                 bare_preload=[allocator])

    @scenario(15)
    def test_15_sizes_of_every_order(self):
        report = self.check_known([program("sizes")])
        zero = self.sums_of(report, "Zero")
        self.assertEqual((zero["allocations"], zero["allocated_bytes"],
                          zero["frees"]), (10, 0, 5))
        cumulative = self.sums_of(report, "Cumulative")
        self.assertEqual((cumulative["allocated_bytes"],
                          cumulative["freed_bytes"]), (1 << 40, 1 << 40))
        self.assertGreaterEqual(report["peak_live_bytes"], 9 << 30)

    @scenario(16, slow=True)
    def test_16_ten_million_live_blocks(self):
        report = self.check_known([program("worker"), "hold", "millions"],
                                  timeout=300)
        self.assertEqual(self.sums_of(report, "Million")["live_objects"],
                         10_000_000)
        self.assertEqual(report["degraded"].get("ledger_full", 0), 0)

    @scenario(16)
    def test_16_a_hundred_thousand_callsites(self):
        report = self.check_known([program("worker"), "hold", "widest"],
                                  timeout=300)
        # None is on the overflow callsite: there is one for each.
        for name in ("callsites_full", "ledger_full"):
            self.assertEqual(report["degraded"].get(name, 0), 0, name)


if __name__ == "__main__":
    unittest.main()
