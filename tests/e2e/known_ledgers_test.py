# SPDX-License-Identifier: Apache-2.0
"""Programs that know what they hold: the ledger says the same, to the byte."""

import signal
import time
import unittest

import harness


class KnownLedgersTest(harness.ShimTest):

    def check(self, command, status=0, preload=True):
        bare = self.run_command(command, preload=False)
        done = self.run_command(command, preload=preload)
        self.assertEqual(done.status, status, done.err)
        self.assertEqual((done.status, done.out, done.err),
                         (bare.status, bare.out, bare.err))
        expected = {}
        for line in done.out.decode().splitlines():
            function, size, objects = line.split()
            expected[function] = [int(size), int(objects)]
        self.assertTrue(expected)
        report = self.only_report(done.pid)
        self.assertEqual(report["process"]["state"], "exited")
        self.assertEqual(report["degraded"].get("untracked_block", 0), 0)
        names = {name.split("<")[0]: name for name in expected}
        live = {name: [0, 0] for name in expected}
        for site in report["callsites"]:
            for frame in site["stack"]:
                # "void known::Fill<long, 10>(…)" -> "known::Fill"
                name = frame["function"].split("(")[0].split("<")[0]
                name = name.split(" ")[-1]
                if name in names:
                    live[names[name]][0] += site["live_bytes"]
                    live[names[name]][1] += site["live_objects"]
                    break
        self.assertEqual(live, expected)
        return report

    def test_every_c_entry_point(self):
        report = self.check([harness.program("known_c")])
        self.assertGreaterEqual(report["peak_live_bytes"], 5 << 30)

    def test_cxx_templates_inlining_exceptions_and_operators(self):
        self.check([harness.program("known_cxx")], status=7)

    def test_threads_that_hand_blocks_over(self):
        for threads in (1, 4, 60):
            with self.subTest(threads=threads):
                self.check([harness.program("known_threads"), str(threads)])

    def test_over_other_allocators(self):
        for allocator in ("libjemalloc.so.2", "libtcmalloc_minimal.so.4",
                          "libmimalloc.so.2.0"):
            with self.subTest(allocator=allocator):
                preload = [harness.SHIM, allocator]
                self.check([harness.program("known_threads"), "4"],
                           preload=preload)
                if "mimalloc" in allocator:
                    continue  # its operator new aborts when memory is out
                self.check([harness.program("known_cxx")], status=7,
                           preload=preload)

    def test_stack_modes_keep_the_counts(self):
        for mode in ("caller", "frame-pointer"):
            done = self.run_command([harness.program("known_threads"), "4"],
                                    env={"HEAPLEDGER_STACK": mode})
            report = self.only_report(done.pid)
            self.assertEqual(report["process"]["stack"], mode)

    def test_a_live_program_is_read_without_touching_it(self):
        process = self.start([harness.program("busy"), "2", "30"])
        self.assertEqual(process.stdout.readline(), b"started\n")
        before = None
        for _ in range(5):
            report = self.only_report(process.pid)
            totals = report["totals"]
            if before is not None:
                self.assertGreater(totals["allocations"],
                                   before["allocations"])
                self.assertGreaterEqual(totals["freed_bytes"],
                                        before["freed_bytes"])
            before = totals
            time.sleep(0.2)
        self.assertEqual(report["process"]["state"], "live")
        process.send_signal(signal.SIGKILL)
        self.assertEqual(self.finish(process).status, -signal.SIGKILL)

    def test_the_last_state_stands_after_kill_9(self):
        process = self.start([harness.program("busy"), "3", "30"])
        self.assertEqual(process.stdout.readline(), b"started\n")
        time.sleep(0.5)
        alive = self.only_report(process.pid)["totals"]
        process.send_signal(signal.SIGKILL)
        self.finish(process)
        report = self.only_report(process.pid)
        self.assertEqual(report["process"]["state"], "killed")
        self.assertGreaterEqual(report["totals"]["allocations"],
                                alive["allocations"])
        live = self.live_by_function(report, ["Growing", "Temporary"])
        self.assertEqual(live["Growing"][0], 512 * live["Growing"][1])
        self.assertGreater(live["Growing"][1], 100)
        # At most the 64 blocks of each thread's round.
        self.assertLessEqual(live["Temporary"][1], 3 * 65)


if __name__ == "__main__":
    unittest.main()
