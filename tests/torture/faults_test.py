# SPDX-License-Identifier: Apache-2.0
"""Every system call of ours fails in turn: the program runs on, and it is said.

Scenarios 37 (memory that is refused) and 59 (the tool's own failure). strace
tells which calls are ours, by the address of the instruction, and lets them
fail.
"""

import collections
import os
import re
import shutil
import subprocess
import unittest

import harness
from harness import program
from scenarios import scenario
from torture import TortureTest

# [instruction] call(arguments) = result
CALL = re.compile(r"^\[([0-9a-f]+)\] (\w+)\((.*)$")
# A failure that makes sense of any call; and of some.
EVERYWHERE = ("EINTR",)
FAILURES = {
    "mmap": ("ENOMEM",),
    "madvise": ("ENOMEM", "EINVAL", "EFAULT"),
    "openat": ("EMFILE", "EACCES", "ENOSPC"),
    "mkdirat": ("EACCES", "ENOSPC"),
    "ftruncate": ("ENOSPC", "EFBIG"),
    "newfstatat": ("EACCES",),
    "statfs": ("EACCES",),
    "symlinkat": ("ENOSPC",),
}
# The end of a process is none that fails, nor is the question who one is.
NEVER = ("exit_group", "gettid", "getpid", "getppid", "geteuid",
         "rt_sigreturn")


class FaultsTest(TortureTest):

    # One thread, so that calls come in the same order each time.
    COMMAND = ("hold", "wide", "churn", "hold", "errno")

    def setUp(self):
        super().setUp()
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        # Addresses that are the same every time.
        self.prefix = ["setarch", "-R"]
        self.command = [program("worker"), *self.COMMAND]

    def traced(self, *options, env=None):
        """Runs below strace with the shim; the trace and how it ended."""
        trace = os.path.join(self.scratch, "trace")
        preload = ["-E", f"LD_PRELOAD={harness.SHIM}",
                   "-E", f"HEAPLEDGER_DIR={self.ledgers}"]
        for name, value in (env or {}).items():
            preload += ["-E", f"{name}={value}"]
        done = self.run_command(
            ["strace", "-i", "-o", trace, *options, *preload, *self.prefix,
             *self.command], preload=False)
        with open(trace, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines(), done

    def our_calls(self, lines):
        """(name, ordinal among the process' calls of that name) of ours.

        Those before the last exec are setarch's.
        """
        last = max(i for i, line in enumerate(lines) if "] execve(" in line)
        counts, ours, start, end = collections.Counter(), [], 0, 0
        shim = os.path.basename(harness.SHIM)
        opened = False
        for i, line in enumerate(lines):
            match = CALL.match(line)
            if match is None:
                continue
            address, name, rest = match.groups()
            counts[name] += 1
            if i <= last:
                continue
            if name == "openat" and shim in rest:
                opened = True
            elif opened and name == "mmap" and not start:
                size = int(rest.split(",")[1])
                start = int(rest.rsplit("= ", 1)[1], 16)
                end = start + size
            if start <= int(address, 16) < end and name not in NEVER:
                ours.append((name, counts[name], rest))
        return ours

    def check_survived(self, done, bare, plain):
        """The same to see; accounts that are right, or a reason for none."""
        self.assertEqual((bare.status, bare.out, bare.err),
                         (done.status, done.out, done.err))
        files = self.ledger_files()
        reasons = list(self.off_markers().values())
        for path in files:
            report = self.report(path)
            if report["process"]["program"] != "worker":
                continue
            self.assertEqual(report["process"]["state"], "exited")
            # A block that had no place in the map is not booked, but counted.
            lost = report["degraded"].get("untracked_block", 0)
            self.assertEqual(report["totals"]["allocations"] + lost,
                             plain["totals"]["allocations"])
            if lost == 0:
                for name in ("allocated_bytes", "live_objects"):
                    self.assertEqual(report["totals"][name],
                                     plain["totals"][name], name)
            return "measured"
        self.assertTrue(all(reasons), reasons)
        return "off" if reasons else "untold"

    def clear(self):
        for name in os.listdir(self.ledgers):
            os.unlink(os.path.join(self.ledgers, name))

    @staticmethod
    def a_few_of_each(calls, most):
        """The first calls of each name, and the last."""
        by_name = collections.defaultdict(list)
        for call in calls:
            by_name[call[0]].append(call)
        return [call for of_name in by_name.values()
                for call in (of_name if len(of_name) <= most
                             else of_name[:most - 1] + of_name[-1:])]

    def inject_all(self, env=None, most=1000):
        bare = self.run_command(self.command, preload=False)
        lines, done = self.traced(env=env)
        self.assertEqual((bare.status, bare.out), (done.status, done.out))
        ours = self.our_calls(lines)
        self.assertGreater(len(ours), 20)
        plain = self.worker_report()
        self.clear()
        outcomes = collections.Counter()
        untold = set()
        for name, ordinal, _ in self.a_few_of_each(ours, most):
            for failure in EVERYWHERE + FAILURES.get(name, ()):
                with self.subTest(call=name, ordinal=ordinal, error=failure):
                    _, done = self.traced(
                        "-e", f"inject={name}:error={failure}:when={ordinal}",
                        env=env)
                    outcome = self.check_survived(done, bare, plain)
                    outcomes[outcome] += 1
                    if outcome == "untold":
                        untold.add(name)
                self.clear()
        return outcomes, untold

    def worker_report(self):
        reports = [self.report(path) for path in self.ledger_files()]
        [report] = [report for report in reports
                    if report["process"]["program"] == "worker"]
        return report

    @scenario(37, 59)
    def test_37_59_every_call_of_ours_fails_in_turn(self):
        outcomes, untold = self.inject_all()
        self.assertGreater(outcomes["measured"], 5)
        self.assertGreater(outcomes["off"], 5)
        self.assertEqual(untold, set())

    @scenario(59, slow=True)
    def test_59_every_call_of_a_scan_at_exit_fails_in_turn(self):
        self.command = [program("worker"), "hold", "churn"]
        outcomes, untold = self.inject_all({"HEAPLEDGER_SCAN": "exit"},
                                           most=2)
        self.assertGreater(outcomes["measured"], 5)
        self.assertEqual(untold, set())

    @scenario(59)
    def test_59_no_call_of_ours_succeeds(self):
        """Of each kind, from the first of ours on: nothing works any more."""
        bare = self.run_command(self.command, preload=False)
        lines, _ = self.traced()
        first = {}
        for name, ordinal, _ in self.our_calls(lines):
            first.setdefault(name, ordinal)
        # What the program and libc need as well fails for them too.
        for name in sorted(set(first) - {"mmap", "openat", "read", "close",
                                         "munmap", "brk", "newfstatat"}):
            self.clear()
            with self.subTest(call=name):
                _, done = self.traced(
                    "-e", f"inject={name}:error=EPERM:when={first[name]}+")
                self.assertEqual((bare.status, bare.out, bare.err),
                                 (done.status, done.out, done.err))

    @scenario(59)
    def test_59_switched_off(self):
        done = self.run_both(self.command, env={"HEAPLEDGER_DISABLE": "1"})
        self.assertEqual(done.status, 0)
        self.assertEqual(self.ledger_files(done.pid), [])
        self.assertEqual(self.off_reasons(done.pid), [1])
        listed = subprocess.run(
            [harness.CLI, "doctor", "--json", "--dir", self.ledgers],
            stdout=subprocess.PIPE, timeout=60, env=self.environment(False),
            check=False)
        self.assertEqual(listed.returncode, 0, listed.stdout)


if __name__ == "__main__":
    unittest.main()
