# SPDX-License-Identifier: Apache-2.0
"""Stacks that are small, switched, cut off, or not to be walked at all.

Scenarios 20 (no thread of ours), 21 (stack use), 22 (switched stacks), 24 (libc
re-entered), 25 (ways out that are no return), 26 (code without unwind data).
"""

import os
import shutil
import unittest

import harness
from harness import program
from scenarios import scenario
from torture import TortureTest

# What a hook may use beyond what libc does, once a thread has begun.
HOOK_STACK_BYTES = 1024
PAGE = "data:text/html,<script>document.title=String(6*7)</script><p>it+ran"


class StacksTest(TortureTest):

    @scenario(20)
    def test_20_signals_and_threads_are_the_programs_own(self):
        self.check_known([program("sigwait")])

    @scenario(21)
    def test_21_hooks_use_little_stack(self):
        used = []
        for preload in (False, True):
            done = self.run_command([program("painted")], preload=preload)
            self.assertEqual(done.status, 0, done.err)
            used.append({name.decode(): int(size) for name, size in
                         (line.split() for line in done.out.splitlines())})
        bare, shimmed = used
        self.assertGreater(min(bare.values()), 0)
        for name, size in shimmed.items():
            with self.subTest(entry_point=name):
                if name == "first":
                    self.assertLessEqual(size, bare["first"] + 1024)
                elif name.startswith("unknown_"):
                    # Unwind tables are read: less than libc's own first call.
                    self.assertLessEqual(size, bare["first"], used)
                else:
                    self.assertLessEqual(size - bare[name], HOOK_STACK_BYTES,
                                         used)

    @scenario(22)
    def test_22_fibers_that_throw_on_any_thread(self):
        report = self.check_known([program("fibers")])
        self.assertGreater(self.sums_of(report, "Temporary")["frees"], 4000)

    @scenario(24)
    def test_24_a_malloc_that_calls_back_into_libc(self):
        library = program("libreentrant_preload.so")
        for preload in ([harness.SHIM, library], [library, harness.SHIM]):
            with self.subTest(preload=[os.path.basename(one)
                                       for one in preload]):
                command = [program("worker"), "hold", "churn", "threads",
                           "wide"]
                bare = self.run_command(command, preload=[library])
                done = self.run_command(command, preload=preload)
                self.assertEqual((bare.status, bare.out, bare.err),
                                 (done.status, done.out, done.err))
                report = self.only_report(done.pid)
                self.assertEqual(
                    self.live_by_function(report, ["Held", "Wide"]),
                    {"Held": [1000, 10], "Wide": [4096 * 64, 4096]})
                # Libc keeps the stacks of threads that it started within.
                self.assertLess(
                    self.sums_of(report, "Churned")["live_objects"], 10)

    @scenario(25)
    def test_25_thrown_and_jumped_through(self):
        for how in ("throw", "jump"):
            with self.subTest(how=how):
                self.check_known([program("through"), how])

    @scenario(25)
    def test_25_cancelled_at_any_instruction(self):
        below = program("libsignal_safe_malloc.so")
        command = [program("cancelled")]
        bare = self.run_command(command, preload=[below])
        self.assertEqual(bare.status, 0, bare.err)
        done = self.run_command(command, preload=[harness.SHIM, below])
        self.assertEqual((bare.status, bare.out, bare.err),
                         (done.status, done.out, done.err))
        report = self.only_report(done.pid)
        self.assertEqual(
            self.live_by_function(report, ["Kept", "InCleanup"]),
            {"Kept": [300, 10], "InCleanup": [0, 0]})
        # What a cancelled thread had half made or half freed, and no more.
        self.assertLessEqual(
            abs(self.sums_of(report, "Temporary")["live_objects"]), 300)

    @scenario(26)
    def test_26_generated_code_without_unwind_data(self):
        report = self.check_known([program("jit")])
        self.assertEqual(report["degraded"].get("untracked_block", 0), 0)

    @scenario(26)
    def test_26_a_browser(self):
        browser = shutil.which("chromium")
        if browser is None:
            self.skipTest("chromium is not installed")
        done = self.run_both_outputs(
            [browser, "--headless", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--virtual-time-budget=2000",
             "--dump-dom", PAGE])
        self.assertIn(b"it+ran", done.out)

    def run_both_outputs(self, command):
        """As run_both(), but what it says on stderr is its own business."""
        results = []
        for preload in (False, True):
            home = os.path.join(self.scratch, f"home{int(preload)}")
            os.mkdir(home)
            results.append(self.run_command(
                command, preload=preload, env={"HOME": home}, timeout=200))
        bare, shimmed = results
        self.assertEqual((bare.status, bare.out),
                         (shimmed.status, shimmed.out), shimmed.err)
        self.assertGreater(len(self.ledger_files()) + len(self.off_markers()),
                           0)
        return shimmed


if __name__ == "__main__":
    unittest.main()
