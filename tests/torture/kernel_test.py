# SPDX-License-Identifier: Apache-2.0
"""What the kernel does to a process, and who looks at it from outside.

Scenarios 36 (memory cgroups), 39 (no /proc, no right to be looked at), 41 (a pid
that is used again), 42 (core dumps, debuggers).
"""

import os
import resource
import shutil
import signal
import subprocess
import unittest

import harness
from harness import program
from scenarios import scenario
from torture import TortureTest

CGROUPS = "/sys/fs/cgroup/memory"
# Counts pages until there are no more to be had.
EATER = ("import sys\nheld = []\n"
         "while True: held.append(bytearray(1 << 20))\n")
# Two processes with one pid, one after the other. $1: the command.
SAME_PID = r"""
mount -t proc none /proc || exit 77
"$@" >/dev/null & pid=$!
wait $pid || exit 1
for attempt in 1 2 3 4 5; do
  sleep 0.05
  echo $((pid - 1)) > /proc/sys/kernel/ns_last_pid || exit 77
  "$@" & again=$!
  wait $again || exit 2
  [ $again = $pid ] && exit 0
done
exit 78
"""


class KernelTest(TortureTest):

    def cgroup(self, limit_bytes):
        """A memory cgroup of the test's own; its path."""
        path = os.path.join(CGROUPS, f"heapledger-test-{os.getpid()}")
        try:
            os.mkdir(path)
            with open(os.path.join(path, "memory.limit_in_bytes"), "w",
                      encoding="ascii") as file:
                file.write(str(limit_bytes))
        except OSError as error:
            self.skipTest(f"no memory cgroup can be made: {error}")
        self.addCleanup(os.rmdir, path)

        def enter():
            with open(os.path.join(path, "cgroup.procs"), "w",
                      encoding="ascii") as file:
                file.write(str(os.getpid()))
        return enter

    @scenario(36)
    def test_36_a_memory_cgroup(self):
        enter = self.cgroup(64 << 20)
        self.check_known([program("worker"), "hold", "churn", "threads",
                          "wide"], preexec_fn=enter)
        # Killed for want of memory, and the ledger says what it held.
        command = ["/usr/bin/python3", "-c", EATER]
        bare = self.run_command(command, preload=False, preexec_fn=enter)
        done = self.run_command(command, preexec_fn=enter)
        self.assertEqual((bare.status, done.status),
                         (-signal.SIGKILL, -signal.SIGKILL))
        report = self.only_report(done.pid)
        self.assertEqual(report["process"]["state"], "killed")
        if self.counts_all:
            self.assertGreater(report["totals"]["live_bytes"], 20 << 20)

    @scenario(39)
    def test_39_nobody_may_look(self):
        self.check_known([program("worker"), "hold", "undumpable", "churn",
                          "wide", "threads", "fork"])

    @scenario(39)
    def test_39_without_proc(self):
        script = "mount -t tmpfs none /proc || exit 77; exec \"$@\""
        command = [program("worker"), "hold", "churn", "wide", "threads"]
        bare = self.run_command(command, preload=False)
        done = self.run_command(
            ["unshare", "-m", "sh", "-c", script, "sh", "env",
             f"LD_PRELOAD={harness.SHIM}", f"HEAPLEDGER_DIR={self.ledgers}",
             *command], preload=False, env=harness.MODES[self.mode])
        if done.status == 77 or b"unshare" in done.err:
            self.skipTest("no right to make a mount namespace")
        self.assertEqual((bare.status, bare.out, bare.err),
                         (done.status, done.out, done.err))
        # Its name and start time are unknown, and its accounts as good as any.
        [path] = [path for path in self.ledger_files()
                  if path.endswith("-0.ledger")]
        totals = self.report(path)["totals"]
        self.assertGreaterEqual(totals["live_objects"], 10 + 4096)
        self.assertGreaterEqual(totals["live_bytes"], 1000 + 4096 * 64)
        self.assertGreaterEqual(totals["frees"], 5 * 20000)

    @scenario(41)
    def test_41_a_pid_that_is_used_again(self):
        command = [program("worker"), "hold", "churn"]
        bare = self.run_command(command, preload=False)
        done = self.run_command(
            ["unshare", "-pf", "--mount", "sh", "-c", SAME_PID, "sh", "env",
             f"LD_PRELOAD={harness.SHIM}", f"HEAPLEDGER_DIR={self.ledgers}",
             *command], preload=False, env=harness.MODES[self.mode])
        if done.status in (77, 78) or b"unshare" in done.err:
            self.skipTest(f"no pid can be asked for: {done.err}")
        self.assertEqual(done.status, 0, done.err)
        by_pid = {}
        for path in self.ledger_files():
            pid, start = os.path.basename(path).split(".")[0].split("-")
            by_pid.setdefault(pid, set()).add(start)
        again = [pid for pid, starts in by_pid.items() if len(starts) > 1]
        self.assertEqual(len(again), 1, by_pid)
        for path in self.ledger_files(again[0]):
            self.check_live(self.report(path), bare.out)

    def core_of(self, preload):
        directory = os.path.join(self.scratch, f"core{int(preload)}")
        os.mkdir(directory)

        def allow():
            resource.setrlimit(resource.RLIMIT_CORE,
                               (resource.RLIM_INFINITY,) * 2)
        done = self.run_command([program("worker"), "hold", "wider", "nonsense"],
                                preload=preload, cwd=directory,
                                preexec_fn=allow)
        self.assertEqual(done.status, 99)
        done = self.run_command([program("endings"), "abort"], preload=preload,
                                cwd=directory, preexec_fn=allow)
        self.assertEqual(done.status, -signal.SIGABRT)
        cores = [name for name in os.listdir(directory) if "core" in name]
        if not cores:
            self.skipTest("cores are written elsewhere here")
        return os.stat(os.path.join(directory, cores[0])).st_blocks * 512

    @scenario(42)
    def test_42_a_core_does_not_grow(self):
        bare, shimmed = self.core_of(False), self.core_of(True)
        # Its own data and bss, and no ledger, no map, no table.
        self.assertLess(shimmed - bare, 2 << 20, (bare, shimmed))

    @scenario(42)
    def test_42_below_strace(self):
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        command = [program("worker"), "hold", "churn", "threads", "fork"]
        bare = self.run_command(command, preload=False)
        done = self.run_command(
            ["strace", "-f", "-o", "/dev/null", "-E",
             f"LD_PRELOAD={harness.SHIM}", "-E",
             f"HEAPLEDGER_DIR={self.ledgers}", *command], preload=False,
            env=harness.MODES[self.mode])
        self.assertEqual((bare.status, bare.out, bare.err),
                         (done.status, done.out, done.err))
        self.assertEqual(len(self.ledger_files()), 2)

    @scenario(42)
    def test_42_below_gdb(self):
        if shutil.which("gdb") is None:
            self.skipTest("gdb is not installed")
        settings = [word for name, value in harness.MODES[self.mode].items()
                    for word in ("-ex", f"set environment {name} {value}")]
        done = subprocess.run(
            ["gdb", "-q", "-batch", "-nx",
             "-ex", f"set environment LD_PRELOAD {harness.SHIM}",
             "-ex", f"set environment HEAPLEDGER_DIR {self.ledgers}",
             *settings, "-ex", "break Held", "-ex", "run", "-ex", "bt", "-ex", "delete",
             "-ex", "continue", "--args", program("worker"), "hold", "churn"],
            env=self.environment(False), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
            check=False)
        self.assertIn(b" main (argc", done.stdout)
        self.assertIn(b"exited normally", done.stdout)
        self.assertIn(b"Held 1000 10", done.stdout)
        reports = [self.report(path) for path in self.ledger_files()]
        workers = [report for report in reports
                   if report["process"]["program"] == "worker"]
        self.assertEqual(len(workers), 1)


if __name__ == "__main__":
    unittest.main()
