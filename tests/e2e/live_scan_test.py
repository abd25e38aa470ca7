# SPDX-License-Identifier: Apache-2.0
"""Scans of running programs: the right blocks, a bounded stop, no harm.

Environment beside harness.py's: HEAPLEDGER_LEAK_REPORT (prints a ledger's
scan).
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest

import harness
from scenarios import scenario

REPORT = os.environ["HEAPLEDGER_LEAK_REPORT"]
LOST = 1000
LOST_BYTES = 64
# What the tests allow on a machine that does other things too.
PAUSE = "2s"


class Program:
    """live_scan with the shim, ready to be asked."""

    def __init__(self, test, *arguments, env=None, path=None, shim=None,
                 **kwargs):
        self.process = subprocess.Popen(
            [path or harness.program("live_scan"), *map(str, arguments)],
            env={**os.environ, "LD_PRELOAD": shim or harness.SHIM,
                 "HEAPLEDGER_DIR": test.ledgers, **(env or {})},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            bufsize=1, **kwargs)
        test.addCleanup(self.kill)
        test.assertEqual(self.process.stdout.readline(), "ready\n")
        self.pid = self.process.pid

    def kill(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def stall_us(self):
        return int(self.say("stall"))

    def status(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file
                        if ":\t" in line)

    def children(self):
        # Of any state, zombies included.
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/stat", encoding="ascii") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == self.pid:
                found.append(int(name))
        return found

    def end(self):
        self.process.stdin.close()
        return self.process.wait(timeout=60)


@scenario(52)
class LiveScanTest(harness.ShimTest):

    def ask(self, program, *options, pause=PAUSE):
        done = subprocess.run(
            [harness.CLI, "leaks", str(program.pid), "--scan",
             "--max-pause", pause, "--json", "--dir", self.ledgers, *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=200, check=False)
        return done

    def scan(self, program, **kwargs):
        done = self.ask(program, **kwargs)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def last(self, program):
        done = subprocess.run(
            [REPORT, "--live", *self.ledger_files(program.pid)],
            stdout=subprocess.PIPE, timeout=60, check=True)
        return json.loads(done.stdout)

    def assert_finds_them(self, leaks, count=LOST):
        found = {}
        for suspect in leaks["suspects"]:
            for evidence in suspect["evidence"]:
                if evidence["kind"] == "unreachable":
                    found[suspect["function"]] = (
                        evidence["direct_objects"], evidence["direct_bytes"],
                        evidence["indirect_objects"])
        self.assertEqual(found, {"Lost": (count, count * LOST_BYTES, 0)})

    def assert_left_nothing(self, program):
        # The burial comes with an allocation; the program makes one every 5 ms.
        for _ in range(200):
            if not program.children():
                break
            time.sleep(0.02)
        self.assertEqual(program.children(), [])
        # Nobody handles signal 32 that did not before; SigCgt is hexadecimal.
        caught = int(program.status()["SigCgt"].strip(), 16)
        self.assertEqual(caught >> 31 & 1, 0)
        with open(f"/proc/{program.pid}/maps", encoding="ascii") as file:
            self.assertNotIn("userfaultfd", file.read())

    def test_finds_what_is_lost_and_nothing_else(self):
        program = Program(self, 20, 2, "resting")
        for _ in range(3):
            self.assert_finds_them(self.scan(program))
        self.assert_left_nothing(program)
        self.assertEqual(program.end(), 0)

    def test_while_threads_move_pointers_about(self):
        program = Program(self, 8, 2, "moving")
        for _ in range(10):
            self.assert_finds_them(self.scan(program))
        self.assert_left_nothing(program)
        self.assertEqual(program.end(), 0)

    def test_a_clean_program(self):
        bare = self.run_command([harness.program("live_scan"), "8", "2", "moving",
                                 "0"],
                                preload=False)
        self.assertEqual((bare.status, bare.out), (0, b"ready\n"))
        program = Program(self, 8, 2, "moving", 0)
        leaks = self.scan(program)
        self.assertEqual(leaks["suspects"], [])
        self.assertEqual(self.last(program)["state"], "complete")

    def test_the_pause_is_what_was_allowed_or_nothing_is_said(self):
        # A heap that is written to all over within any such time.
        program = Program(self, 60, 2, "moving")
        done = self.ask(program, pause="1ms")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("--max-pause", done.stderr)
        scan = self.last(program)
        self.assertEqual(scan["state"], "incomplete")
        self.assertEqual(scan["leaks"], [])
        self.assert_left_nothing(program)
        self.assertEqual(program.end(), 0)

    def test_modes_that_do_not_know_every_block(self):
        program = Program(self, 8, 1, "resting", env=harness.MODES["sampled"])
        done = self.ask(program)
        self.assertEqual(done.returncode, 1)
        self.assertIn("sampled", done.stderr)

    def test_no_process_to_scan_in(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to become a user without processes")
        user = 65533
        os.chmod(self.scratch, 0o755)
        os.chown(self.ledgers, user, user)
        copies = [shutil.copy(path, self.scratch)
                  for path in (harness.SHIM, harness.program("live_scan"))]
        # Its two threads are all that it may have.
        program = Program(
            self, 8, 1, "resting", path=copies[1], shim=copies[0], user=user,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC,
                                                  (2, 2)))
        done = self.ask(program)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no process could be made", done.stderr)
        self.assert_left_nothing(program)
        self.assertEqual(program.end(), 0)

    def start_and_leave(self, program):
        """A request whose asker is killed while the scan runs."""
        asker = subprocess.Popen(
            [harness.CLI, "leaks", str(program.pid), "--scan",
             "--dir", self.ledgers, "--max-pause", PAUSE],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not program.children() and time.monotonic() < deadline:
            time.sleep(0.001)
        scanners = program.children()
        asker.kill()
        asker.wait()
        return scanners

    def test_the_asker_dies(self):
        program = Program(self, 100, 1, "resting")
        self.assertEqual(len(self.start_and_leave(program)), 1)
        for _ in range(1000):
            if self.last(program)["state"] == "complete":
                break
            time.sleep(0.05)
        self.assertEqual(self.last(program)["direct_objects"], LOST)
        self.assert_left_nothing(program)

    def test_the_scanner_is_killed(self):
        program = Program(self, 100, 1, "resting")
        for scanner in self.start_and_leave(program):
            os.kill(scanner, signal.SIGKILL)
        # The next request finds it dead, says so or scans anew.
        self.assert_finds_them(self.scan(program))
        self.assert_left_nothing(program)
        self.assertEqual(program.end(), 0)

    def test_the_program_forks_meanwhile(self):
        program = Program(self, 100, 1, "resting",
                          env={"HEAPLEDGER_SCAN": "exit"})
        self.assertEqual(len(self.start_and_leave(program)), 1)
        self.assertEqual(program.say("fork"), "0\n")
        # The child's memory is a copy, in which nobody scans but itself.
        child, = (path for path in self.ledger_files()
                  if path not in self.ledger_files(program.pid))
        done = subprocess.run([REPORT, child],
                              stdout=subprocess.PIPE, timeout=60, check=True)
        scan = json.loads(done.stdout)
        self.assertEqual((scan["state"], scan["leaks"]), ("complete", []))
        for _ in range(1000):
            if self.last(program)["state"] == "complete":
                break
            time.sleep(0.05)
        self.assertEqual(self.last(program)["direct_objects"], LOST)
        self.assert_left_nothing(program)
        self.assertEqual(program.end(), 0)

    def test_the_program_runs_another_meanwhile(self):
        # At any moment of the scan, through libc and past it: the other program
        # must not get what was meant for this one.
        for word in ("exec", "raw exec"):
            for delay in (0, .002, .005, .01, .02, .03, .05, .1):
                with self.subTest(word=word, delay=delay):
                    program = Program(self, 20, 1, "resting")
                    scanners = self.start_and_leave(program)
                    time.sleep(delay)
                    self.assertEqual(program.say(word), "ready\n")
                    deadline = time.monotonic() + 20
                    while any(os.path.exists(f"/proc/{scanner}/exe")
                              for scanner in scanners):
                        self.assertLess(time.monotonic(), deadline)
                        time.sleep(0.01)
                    self.assertEqual(program.end(), 0)
        self.assert_finds_them(self.scan(Program(self, 1, 1, "resting")))

    def test_the_program_ends_meanwhile(self):
        for scan_at_exit in (False, True):
            with self.subTest(scan_at_exit=scan_at_exit):
                env = {"HEAPLEDGER_SCAN": "exit"} if scan_at_exit else None
                program = Program(self, 100, 1, "resting", env=env)
                scanners = self.start_and_leave(program)
                self.assertEqual(len(scanners), 1)
                self.assertEqual(program.end(), 0)
                # It finds out within a look or two, and is gone.
                deadline = time.monotonic() + 20
                while time.monotonic() < deadline:
                    if not os.path.exists(f"/proc/{scanners[0]}"):
                        break
                    time.sleep(0.01)
                self.assertFalse(os.path.exists(f"/proc/{scanners[0]}"))
                if not scan_at_exit:
                    continue
                done = subprocess.run(
                    [REPORT, *self.ledger_files(program.pid)],
                    stdout=subprocess.PIPE, timeout=60, check=True)
                scan = json.loads(done.stdout)
                self.assertEqual(scan["state"], "complete")
                self.assertEqual(scan["direct_objects"], LOST)


if __name__ == "__main__":
    unittest.main()
