# SPDX-License-Identifier: Apache-2.0
"""Threads and signals at the worst moments: the counts stay exact.

Scenarios 13 (address reuse), 17 (after the thread state is gone), 18 (many
threads), 19 (signal handlers that allocate), 21 (small stacks).
"""

import unittest

import harness
from harness import program
from scenarios import scenario
from torture import TortureTest


class ThreadsTest(TortureTest):

    def check_clean(self, report):
        for name in ("foreign_free", "unseen_free", "untracked_block"):
            self.assertEqual(report["degraded"].get(name, 0), 0, name)

    @scenario(18, 21)
    def test_18_21_a_thousand_threads_at_once_on_the_smallest_stacks(self):
        report = self.check_known([program("thread_storm"), "together"])
        self.check_clean(report)
        self.assertEqual(self.sums_of(report, "Temporary")["allocations"],
                         21000)

    @scenario(18)
    def test_18_a_hundred_thousand_threads_in_a_row(self):
        if not self.counts_all:
            self.skipTest("what is looked at here is the counts")
        report = self.check_known([program("thread_storm"), "row"])
        self.check_clean(report)
        self.assertEqual(self.sums_of(report, "Temporary")["allocations"],
                         100000)
        self.assertLess(report["ledger_bytes"], 2 << 20)

    @scenario(17)
    def test_17_destructors_that_allocate_when_a_thread_ends(self):
        report = self.check_known([program("thread_storm"), "storage"])
        self.check_clean(report)

    @scenario(17)
    def test_17_detached_threads_at_the_end_of_the_process(self):
        for _ in range(5):
            report = self.check_known([program("thread_storm"), "detached"])
            self.assertLessEqual(
                self.live_by_function(report, ["Endless"])["Endless"][1], 8)

    @scenario(17, 18, 5)
    def test_17_18_over_other_allocators(self):
        for allocator in ("libjemalloc.so.2", "libtcmalloc_minimal.so.4",
                          "libmimalloc.so.2.0"):
            for how in ("together", "storage"):
                with self.subTest(allocator=allocator, how=how):
                    self.check_clean(self.check_known(
                        [program("thread_storm"), how],
                        preload=[harness.SHIM, allocator],
                        bare_preload=[allocator]))

    @scenario(13)
    def test_13_address_reuse(self):
        tunables = {
            "own caches": {},
            "shared bins": {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:"
                            "glibc.malloc.arena_max=1"},
        }
        for name, env in tunables.items():
            for pinned in ([], ["pinned"])[:2 if self.mode == "exact" else 1]:
                with self.subTest(allocator=name, pinned=bool(pinned)):
                    command = [program("address_reuse"), "2"] + pinned
                    bare = self.run_command(command, preload=False, env=env)
                    if bare.status == 77:
                        self.skipTest("no right to choose the processor")
                    done = self.run_command(command, env=env)
                    self.assertEqual((bare.status, bare.err),
                                     (done.status, done.err))
                    report = self.only_report(done.pid)
                    self.check_live(report, done.out)
                    self.check_clean(report)
                    self.assertGreater(
                        self.sums_of(report, "Contended")["allocations"],
                        100000)

    def storm(self, *arguments):
        below = program("libsignal_safe_malloc.so")
        return self.check_known(
            [program("signal_storm"), *arguments],
            preload=[harness.SHIM, below], bare_preload=[below])

    @scenario(19)
    def test_19_a_handler_that_allocates(self):
        for stack in ("stack", "altstack"):
            with self.subTest(stack=stack):
                self.check_clean(self.storm(stack, "return"))

    @scenario(19)
    def test_19_a_handler_that_jumps_out_of_our_hook(self):
        for stack in ("stack", "altstack"):
            with self.subTest(stack=stack):
                report = self.storm(stack, "jump")
                # What was cut off is lost to the program too; a block's bytes
                # and its count may be booked apart.
                main = self.sums_of(report, "Main")
                self.assertGreaterEqual(main["live_objects"], -2000)
                self.assertEqual(report["degraded"].get("foreign_free", 0), 0)


if __name__ == "__main__":
    unittest.main()
