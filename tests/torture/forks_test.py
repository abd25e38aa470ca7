# SPDX-License-Identifier: Apache-2.0
"""Processes that come from processes: each has its own ledger, and it is exact.

Scenarios 28 (fork), 29 (vfork and its kin), 30 (raw system calls), 41 (pid
namespaces).
"""

import subprocess
import unittest

from harness import program
from scenarios import scenario
from torture import TortureTest


class ForksTest(TortureTest):

    def check_child(self, report, parent):
        """Which child it is follows from what it did."""
        own = self.sums_of(report, "ChildOwn")
        kept = self.sums_of(report, "Kept")
        grand = self.sums_of(report, "GrandOwn")
        self.assertNotEqual(report["process"]["pid"], parent)
        self.assertEqual(report["process"]["state"], "exited")
        self.assertEqual(kept["allocations"], 0)
        # The two handlers keep a block each, in every generation.
        handlers = self.sums_of(report, "HandlerKept")
        self.assertEqual(handlers["allocations"], 2)
        self.assertEqual(report["degraded"].get("foreign_free", 0), 0)
        if grand["allocations"]:
            self.assertEqual(
                (kept["inherited_objects"], kept["inherited_bytes"],
                 kept["frees"], kept["live_objects"]), (50, 50 * 77, 50, 0))
            self.assertEqual(
                (own["inherited_objects"], own["inherited_bytes"],
                 own["frees"], own["allocations"]), (5, 5 * 33, 5, 0))
            self.assertEqual((grand["live_objects"], grand["live_bytes"]),
                             (3, 51))
            self.assertEqual(handlers["inherited_objects"], 2)
            return "grandchild"
        self.assertEqual(report["process"]["parent_pid"], parent)
        self.assertEqual(
            (kept["inherited_objects"], kept["inherited_bytes"],
             kept["frees"], kept["freed_bytes"]), (100, 7700, 50, 50 * 77))
        self.assertEqual((own["allocations"], own["frees"],
                          own["live_bytes"]), (10, 5, 5 * 33))
        self.assertEqual(handlers["inherited_objects"], 0)
        self.assertLessEqual(
            self.sums_of(report, "Churned")["inherited_objects"], 4 * 65)
        thread = self.sums_of(report, "ThreadOwn")
        self.assertIn((thread["live_objects"], thread["live_bytes"]),
                      ((0, 0), (4, 84)))
        return "child"

    @scenario(28)
    def test_28_forks_of_a_threaded_process(self):
        command = [program("forks")]
        bare = self.run_command(command, preload=False)
        done = self.run_command(command)
        self.assertEqual((bare.status, bare.out, bare.err),
                         (done.status, done.out, done.err))
        files = self.ledger_files()
        self.assertEqual(len(files), 1 + 200 + 20)
        report = self.only_report(done.pid)
        self.check_live(report, done.out)
        self.assertEqual(self.sums_of(report, "Kept")["allocations"], 100)
        self.assertEqual(report["degraded"].get("foreign_free", 0), 0)
        self.assertEqual(report["totals"]["inherited_objects"], 0)
        # Eleven in a row hold every kind of child.
        seen = [self.check_child(self.report(path), done.pid)
                for path in files[100:111] + files[-2:]
                if f"/{done.pid}-" not in path]
        self.assertIn("child", seen)
        self.assertIn("grandchild", seen)

    @scenario(30)
    def test_30_forks_past_the_handlers(self):
        done = self.check_known([program("raw_forks")])
        parent = done["process"]["pid"]
        files = [path for path in self.ledger_files()
                 if f"/{parent}-" not in path]
        self.assertEqual(len(files), 80)
        for path in files[:8]:
            self.check_raw_child(self.report(path))

    def check_raw_child(self, report):
        kept = self.sums_of(report, "Kept")
        own = self.sums_of(report, "ChildOwn")
        self.assertEqual((kept["inherited_objects"], kept["live_objects"],
                          kept["live_bytes"]), (20, 10, 990))
        self.assertEqual((own["live_objects"], own["live_bytes"],
                          own["allocations"]), (5, 255, 1005))
        self.assertEqual(report["process"]["state"], "exited")

    @scenario(41)
    def test_41_a_child_in_a_new_pid_namespace(self):
        command = [program("raw_forks"), "namespace"]
        if self.run_command(command, preload=False).status == 77:
            self.skipTest("no right to make a pid namespace")
        report = self.check_known(command)
        self.assertEqual(len(self.ledger_files()), 2)
        [child] = self.ledger_files(1)
        self.check_raw_child(self.report(child))
        self.assertEqual(report["totals"]["inherited_objects"], 0)

    @scenario(29)
    def test_29_children_that_borrow_the_memory(self):
        command = [program("borrowers")]
        bare = self.run_command(command, preload=False)
        self.assertEqual(bare.status, 0)
        process = self.start(command, stdin=subprocess.PIPE)
        lines = b"".join(process.stdout.readline() for _ in range(3))
        report = self.only_report(process.pid)
        done = self.finish(process)
        self.assertEqual((bare.status, bare.out, bare.err),
                         (done.status, lines + done.out, done.err))
        # A child that ended did not end the parent's ledger.
        self.assertEqual(report["process"]["state"], "live")
        for report in (report, self.only_report(done.pid)):
            self.check_live(report, bare.out)
            kept = self.sums_of(report, "Borrowed")
            self.assertEqual(kept["allocations"], 50 * 101)
            self.assertEqual(report["degraded"].get("foreign_free", 0), 0)
        self.assertEqual(report["process"]["state"], "exited")


if __name__ == "__main__":
    unittest.main()
