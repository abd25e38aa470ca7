# SPDX-License-Identifier: Apache-2.0
"""The gate's word: measured or said not to be, and never a wrong verdict.

Every program runs bare, then under the shim, then under the gate. Scenarios 6,
8 and 9 (what cannot be instrumented), 33 and 39 (leaks after descriptors or
privileges are gone), 34 (output), 47 (threads), 48 (the tree), 49 (statuses),
51 (the same every time).
"""

import json
import os
import signal
import subprocess
import time
import unittest
import urllib.request

import harness
import kinds
from harness import program
from scenarios import LONG, scenario

CASES = program("gate_cases")
STATIC = program("gate_static")
LEAK, NOT_MEASURED, USAGE = 23, 3, 2


class VerdictTest(harness.ShimTest):

    def gate(self, command, *options, stderr=True):
        """Runs below the gate: how it ended, and what it wrote as JSON."""
        path = os.path.join(self.scratch, "gate.json")
        done = self.run_command(
            [harness.CLI, "gate", "--json", path, *options, "--", *command],
            preload=False, env={"HEAPLEDGER_DIR": self.ledgers})
        report = None
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                report = json.load(file)
            os.unlink(path)
        if stderr and report is not None:
            self.assertIn(b"heapledger: gate: ", done.err)
        return done, report

    def bare_and_shimmed(self, command, **kwargs):
        return self.run_both(command, **kwargs)


class KindsTest(VerdictTest):
    """Programs that cannot be measured run on, and no verdict is made up."""

    def setUp(self):
        super().setUp()
        os.chmod(self.scratch, 0o755)

    @scenario(6, 8, 9)
    def test_6_8_9_every_kind_is_named_and_never_passes(self):
        built = 0
        for kind in kinds.KINDS:
            path = kinds.build(kind, self.scratch)
            if path is None:
                continue
            built += 1
            with self.subTest(kind=kind.name):
                self.check_kind(kind, path)
        self.assertGreaterEqual(built, 6)

    def check_kind(self, kind, path):
        command = [*kind.before, path, "clean"]
        bare = self.run_command(command, preload=False)
        self.assertEqual(bare.status, 0, bare.err)
        shimmed = self.run_command(command)
        self.assertEqual(shimmed.status, kind.refuses, shimmed.err)
        self.assertEqual(
            [file for file in self.ledger_files(shimmed.pid)
             if self.report(file)["process"]["program"] == kind.name], [])
        # A program that execs and is gone at once may not be looked at in time;
        # what is said of it must hold each time, why it is so most times.
        for _ in range(10):
            done, report = self.gate(command)
            self.assertEqual(done.status, NOT_MEASURED, done.err)
            self.assertEqual(report["verdict"], "not measured")
            self.assertEqual(done.out, bare.out)
            reasons = [one["reason"] for one in report["unmeasured"]]
            if any(kind.gate in reason for reason in reasons):
                break
        else:
            self.fail(reasons)
        # As a child that is gone before anybody can look: why may be unknown,
        # that it was not measured may not.
        child = ["/bin/sh", "-c", " ".join(command) + "; true"]
        done, report = self.gate(child)
        self.assertEqual(done.status, NOT_MEASURED, done.err)
        done, report = self.gate(child, "--allow-unmeasured")
        self.assertEqual(done.status, 0, done.err)
        self.assertTrue(report["unmeasured"])

    @scenario(8)
    def test_8_an_environment_that_is_scrubbed(self):
        command = ["env", "-i", CASES, "linger"]
        self.bare_and_shimmed(command)
        done, report = self.gate(command)
        self.assertEqual(done.status, NOT_MEASURED)
        self.assertIn("LD_PRELOAD", report["unmeasured"][0]["reason"])

    @scenario(6)
    def test_6_metrics_say_so_too(self):
        command = [program("own_malloc"), "wait"]
        self.bare_and_shimmed(command)
        for name in self.off_markers():
            os.unlink(os.path.join(self.ledgers, name))
        process = self.start(command, stdin=subprocess.PIPE)
        self.addCleanup(self.finish, process)
        self.assertEqual(process.stdout.readline(), b"own\n")
        self.assertEqual(list(self.off_markers().values()), [3])
        base = self.collect()
        line = 'heapledger_unmeasured_processes{reason="own_allocator"} 1\n'
        for _ in range(100):
            with urllib.request.urlopen(base + "/metrics") as answer:
                page = answer.read().decode()
            if line in page:
                break
            time.sleep(0.1)
        self.assertIn(line, page)
        # And nothing as if it had been measured.
        self.assertNotIn(f'pid="{process.pid}"', page)


class StatusTest(VerdictTest):

    @scenario(49)
    def test_49_every_status_with_every_verdict(self):
        unwritable = os.path.join(self.scratch, "no/such/directory/x")
        leaks = {"clean": ["clean"], "leak": ["leak"]}
        cases = [
            # what the test does, options, status of the gate
            ([CASES, *leaks["clean"]], [], 0),
            ([CASES, *leaks["leak"]], [], LEAK),
            ([CASES, *leaks["leak"]], ["--exit-code", "99"], 99),
            ([STATIC, "clean"], [], NOT_MEASURED),
            ([STATIC, "clean"], ["--allow-unmeasured"], 0),
            ([CASES, "leak-and-fail", "0"], [], LEAK),
            ([CASES, "leak-and-fail", "7"], [], 7),
            # A status that is one of ours is the program's own all the same.
            ([CASES, "leak-and-fail", "23"], [], 23),
            ([CASES, "leak-and-fail", "3"], [], 3),
            ([STATIC, "leak-and-fail", "7"], [], 7),
            ([CASES, "kill", str(int(signal.SIGTERM))], [], 128 + 15),
            ([CASES, "kill", str(int(signal.SIGKILL))], [], 128 + 9),
            ([CASES, "clean"], ["--junit", unwritable], USAGE),
            ([os.path.join(self.scratch, "nowhere")], [], 127),
            ([self.scratch], [], 126),
        ]
        for command, options, status in cases:
            with self.subTest(command=command[1:], options=options):
                if os.access(command[0], os.X_OK) and os.path.isfile(
                        command[0]):
                    self.bare_and_shimmed(command)
                done, _ = self.gate(command, *options)
                self.assertEqual(done.status, status, done.err)

    @scenario(49)
    def test_49_both_are_told(self):
        done, report = self.gate([CASES, "leak-and-fail", "7"])
        self.assertEqual(done.status, 7)
        self.assertEqual(report["verdict"], "leak")
        self.assertIn(b"ended with status 7", done.err)


class SurroundingsTest(VerdictTest):

    def check_leak(self, command, **kwargs):
        self.bare_and_shimmed(command, **kwargs)
        done, report = self.gate(command)
        self.assertEqual(done.status, LEAK, done.err)
        return done, report

    @scenario(33)
    def test_33_a_leak_after_every_descriptor_is_closed(self):
        script = f"exec 0<&- 1>&- 2>&-; exec {CASES} leak"
        self.bare_and_shimmed(["/bin/sh", "-c", script])
        done, report = self.gate(["/bin/sh", "-c", script])
        self.assertEqual(done.status, LEAK, done.err)
        self.assertEqual(report["findings"][0]["amount"]["bytes"], 96)

    @scenario(34)
    def test_34_not_a_byte_on_its_output(self):
        for what in ("clean", "leak", "chain", "keep", "child"):
            with self.subTest(what=what):
                bare = self.bare_and_shimmed([CASES, what])
                done, _ = self.gate([CASES, what])
                self.assertEqual(done.out, bare.out)

    @scenario(39)
    def test_39_a_leak_of_a_process_that_gave_up_its_rights(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        for step in ("drop", "undumpable", "chroot"):
            with self.subTest(step=step):
                command = [program("worker"), "hold", step, "churn"]
                self.bare_and_shimmed(command, cwd=self.scratch)
                path = os.path.join(self.scratch, "gate.json")
                done = self.run_command(
                    [harness.CLI, "gate", "--json", path, "--", *command],
                    preload=False, env={"HEAPLEDGER_DIR": self.ledgers},
                    cwd=self.scratch)
                # Its blocks are lost (nothing keeps them): found, or said not
                # to have been looked for; never a pass.
                with open(path, encoding="utf-8") as file:
                    report = json.load(file)
                if step == "chroot" and done.status == NOT_MEASURED:
                    self.assertIn("/proc does not show",
                                  report["unmeasured"][0]["reason"])
                    continue
                self.assertEqual(done.status, LEAK, done.err)
                lost = [one for one in report["findings"]
                        if one["amount"] == {"bytes": 1000, "objects": 10}]
                self.assertEqual(len(lost), 1, report["findings"])

    @scenario(47)
    def test_47_threads_that_run_at_exit(self):
        for case, status in (("threads", LEAK), ("blocked", NOT_MEASURED)):
            with self.subTest(case=case):
                command = [program("exit_scan_cases"), case, "8"]
                self.bare_and_shimmed(command)
                done, _ = self.gate(command)
                self.assertEqual(done.status, status, done.err)

    @scenario(48)
    def test_48_a_leak_anywhere_in_the_tree(self):
        run = f"{CASES} leak"
        for name, command, leaks in (
                ("child", [CASES, "child"], 1),
                ("shell", ["/bin/sh", "-c", f"{run}; {run}; true"], 1),
                ("pipeline", ["/bin/sh", "-c", f"{run} | cat; true"], 1),
                ("spawned", [CASES, "spawn", CASES, "leak"], 1),
                ("double fork", ["/bin/sh", "-c", f"( {run} & ) ; sleep 0.3"],
                 1),
                ("exec chain", ["/bin/sh", "-c", f"exec /bin/sh -c 'exec {run}'"],
                 1),
                ("none", ["/bin/sh", "-c", f"{CASES} clean | cat"], 0)):
            with self.subTest(tree=name):
                self.bare_and_shimmed(command)
                done, report = self.gate(command)
                self.assertEqual(done.status, LEAK if leaks else 0, done.err)
                self.assertEqual(
                    sum("LoseBlocks" in one["function"] or "child" == name
                        for one in report["findings"]), leaks)

    def repeat(self, runs):
        """A leak is the same leak every time; a clean program never one."""
        threads = [program("exit_scan_cases"), "threads", "6"]
        steady = [program("exit_scan_cases"), "steady", "6"]
        self.bare_and_shimmed(threads)
        self.bare_and_shimmed(steady)
        fingerprints = set()
        for i in range(runs):
            done, report = self.gate(threads)
            self.assertEqual(done.status, LEAK, (i, done.err))
            [finding] = report["findings"]
            self.assertEqual(finding["amount"], {"bytes": 11, "objects": 1})
            fingerprints.add(finding["callsite"])
            done, report = self.gate(steady)
            self.assertEqual(done.status, 0, (i, done.err))
            self.assertEqual(report["findings"], [])
        self.assertEqual(len(fingerprints), 1)

    @scenario(51)
    def test_51_twenty_runs_say_the_same(self):
        self.repeat(20)

    @scenario(51, slow=True)
    def test_51_many_runs_say_the_same(self):
        self.repeat(1000 if LONG else 150)


if __name__ == "__main__":
    unittest.main()
