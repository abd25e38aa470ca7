# SPDX-License-Identifier: Apache-2.0
"""The gate as others use it: a CTest suite, and GoogleTest's listener."""

import os
import re
import unittest

import harness

CMAKE = os.environ.get("HEAPLEDGER_CMAKE", "cmake")
MODULES = os.environ.get("HEAPLEDGER_MODULES", "")
SUITE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gated_suite")


class Recipe(harness.ShimTest):

    def make(self, *settings):
        build = os.path.join(self.scratch, "build")
        for command in (
                [CMAKE, "-S", SUITE, "-B", build, *settings,
                 f"-DCMAKE_MODULE_PATH={MODULES}"],
                [CMAKE, "--build", build]):
            done = self.run_command(command, preload=False)
            self.assertEqual(done.status, 0, (done.out, done.err))
        done = self.run_command(
            [os.path.join(os.path.dirname(CMAKE), "ctest"), "--test-dir",
             build, "--output-on-failure"], preload=False,
            env={"HEAPLEDGER_DIR": self.ledgers})
        text = done.out.decode()
        return text, dict(re.findall(
            r"Test +#\d+: (\w+) [. ]*(Passed|\*\*\*Failed)", text))

    def test_every_test_has_its_verdict(self):
        text, results = self.make(f"-DHEAPLEDGER_EXECUTABLE={harness.CLI}")
        self.assertEqual(results, {
            "clean": "Passed", "leak": "***Failed", "leak_within": "Passed",
            "fails": "***Failed", "launched_clean": "Passed",
            "launched_leak": "***Failed"}, text)
        self.assertIn("leak: 96 B in 3 blocks lost at 1 callsite", text)

    def test_tests_run_bare_without_the_gate(self):
        text, results = self.make("-DHEAPLEDGER_EXECUTABLE=")
        self.assertEqual(results["leak"], "Passed", text)
        self.assertEqual(results["fails"], "***Failed", text)


class Listener(harness.ShimTest):

    def suite(self, *words, gate=True):
        command = [harness.program("gate_listener_suite"), *words]
        if gate:
            command = [harness.CLI, "gate", "--", *command]
        done = self.run_command(command, preload=False,
                                env={"HEAPLEDGER_DIR": self.ledgers})
        return done.status, done.out.decode(), done.err.decode()

    def test_the_leaking_test_fails_in_repetitions(self):
        status, out, err = self.suite("--gtest_repeat=4")
        self.assertEqual(status, 1, err)
        self.assertIn("Suite.Leaks left ", out)
        failed = set(re.findall(r"\[  FAILED  \] (Suite\.\w+)", out))
        self.assertEqual(failed, {"Suite.Leaks"})
        self.assertIn("Leaks", err)  # the gate names the callsite as well

    def test_once_only_the_gate_judges(self):
        status, out, err = self.suite()
        self.assertNotIn("FAILED", out)
        # The last lost block is still named by a global.
        self.assertEqual(status, 0, err)

    def test_it_does_nothing_outside_the_gate(self):
        status, out, _ = self.suite("--gtest_repeat=4", gate=False)
        self.assertEqual(status, 0, out)


if __name__ == "__main__":
    unittest.main()
