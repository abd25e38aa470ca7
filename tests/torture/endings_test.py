# SPDX-License-Identifier: Apache-2.0
"""Every way to end: the status of the bare program, and a ledger that stands.

Scenarios 21 (end of the stack), 31 (exec chains) and 32 (ways to end).
"""

import signal
import time
import unittest

import harness
from harness import program
from scenarios import scenario
from torture import TortureTest

# How -> status, blocks of 100 bytes and of 20, state of the ledger.
ENDINGS = {
    "return": (11, 1, "exited"),
    "exit": (12, 1, "exited"),
    "_exit": (13, 0, "exited"),
    "_Exit": (14, 0, "exited"),
    "quick_exit": (15, 1, "exited"),
    "abort": (-signal.SIGABRT, 0, "killed"),
    "segv": (-signal.SIGSEGV, 0, "killed"),
    "kill": (-signal.SIGKILL, 0, "killed"),
    "term": (-signal.SIGTERM, 0, "killed"),
    # Nobody can tell this one from a kill without looking at the status.
    "syscall": (16, 0, "killed"),
    "pthread_exit": (0, 1, "exited"),
    "thread_exit": (43, 1, "exited"),
    "thread__exit": (44, 0, "exited"),
    "handler_exit": (41, 1, "exited"),
    "handler__exit": (42, 0, "exited"),
    "fiber": (45, 1, "exited"),
    # Scenario 21: the stack ends inside an allocation, a handler goes on.
    "overflow": (46, 0, "exited"),
    "overflow_thread": (46, 0, "exited"),
    "exec_failed": (17, 1, "exited"),
}


class EndingsTest(TortureTest):

    @scenario(32, 21)
    def test_32_every_way_to_end(self):
        for how, (status, at_exit, state) in ENDINGS.items():
            with self.subTest(how=how):
                done = self.run_both([program("endings"), how])
                self.assertEqual(done.status, status)
                report = self.only_report(done.pid)
                self.assertEqual(report["process"]["state"], state)
                self.assertEqual(
                    self.live_by_function(report, ["Held", "HeldAtExit"]),
                    {"Held": [300, 3], "HeldAtExit": [20 * at_exit, at_exit]})

    @scenario(32)
    def test_32_the_last_thread_ends_the_process(self):
        done = self.run_both([program("endings"), "pthread_exit_last"])
        self.assertEqual(done.status, 0)
        report = self.only_report(done.pid)
        self.assertEqual(report["process"]["state"], "exited")
        self.assertEqual(
            self.live_by_function(report, ["Held", "HeldAtExit"]),
            {"Held": [301, 4], "HeldAtExit": [20, 1]})

    @scenario(31)
    def test_31_exec_self_and_another(self):
        for how, status, held in (("exec_self", 12, 300),
                                  ("exec_other", 0, 0)):
            with self.subTest(how=how):
                done = self.run_both([program("endings"), how])
                self.assertEqual(done.status, status)
                old, new = self.reports_of(done.pid)
                self.assertEqual(old["process"]["state"], "replaced")
                self.assertEqual(new["process"]["state"], "exited")
                self.assertEqual((old["process"]["image"],
                                  new["process"]["image"]), (0, 1))
                self.assertEqual(
                    self.live_by_function(old, ["Held", "HeldAtExit"]),
                    {"Held": [300, 3], "HeldAtExit": [0, 0]})
                self.assertEqual(
                    self.live_by_function(new, ["Held"])["Held"][0], held)

    def reports_of(self, pid):
        reports = [self.report(path) for path in self.ledger_files(pid)]
        return sorted(reports, key=lambda report: report["process"]["image"])

    @scenario(31)
    def test_31_a_chain_of_images(self):
        chain = ["bash", "-c",
                 "exec perl -e 'exec \"/usr/bin/python3\", \"-c\", "
                 "\"import os; os.execvp(\\\"printenv\\\", "
                 "[\\\"printenv\\\", \\\"LD_PRELOAD\\\"])\"'"]
        done = self.run_command(chain)
        self.assertEqual(done.status, 0, done.err)
        self.assertEqual(done.out.decode(), harness.SHIM + "\n")
        reports = self.reports_of(done.pid)
        self.assertEqual(
            [report["process"]["state"] for report in reports],
            ["replaced"] * 3 + ["exited"])
        self.assertEqual([report["process"]["image"] for report in reports],
                         [0, 1, 2, 3])
        self.assertEqual(
            [report["process"]["program"][:6] for report in reports],
            ["bash", "perl", "python", "printe"])

    @scenario(31)
    def test_31_an_image_without_the_shim_follows(self):
        process = self.start([program("endings"), "exec_bare", "2"])
        time.sleep(0.5)
        report = self.only_report(process.pid)
        self.assertEqual(self.finish(process).status, 0)
        self.assertEqual(self.live_by_function(report, ["Held"])["Held"],
                         [300, 3])
        # The old image is gone, though the process lives.
        self.assertEqual(report["process"]["state"], "replaced")


if __name__ == "__main__":
    unittest.main()
