# SPDX-License-Identifier: Apache-2.0
"""`heapledger collect --log`: a process that the kernel kills for want of
memory is named, and logs are followed while they are rotated."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import harness

MEMORY_CGROUPS = "/sys/fs/cgroup/memory"
# Touches memory until it is killed.
HUNGRY = """
import os, sys
with open(sys.argv[1] + "/cgroup.procs", "w") as procs:
    procs.write(str(os.getpid()))
kept = []
while True:
    kept.append(os.urandom(1 << 16) * 16)
"""


class Cgroup:
    """A memory cgroup (v1) of 24 MiB; skips the test where there is none."""

    def __init__(self, test):
        try:
            self.path = tempfile.mkdtemp(prefix="heapledger-test-",
                                         dir=MEMORY_CGROUPS)
        except OSError as error:
            test.skipTest(f"no memory cgroup can be made: {error}")
        test.addCleanup(os.rmdir, self.path)
        with open(self.path + "/memory.limit_in_bytes", "w",
                  encoding="ascii") as limit:
            limit.write(str(24 << 20))


class LogsTest(harness.ShimTest):

    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def path(self, name):
        return os.path.join(self.directory, name)

    def logs(self, base):
        with urllib.request.urlopen(base + "/api/v1/logs?hours=1",
                                    timeout=20) as answer:
            return json.load(answer)

    def until(self, base, condition, seconds=30):
        """Asks until `condition(logs)`; the logs."""
        deadline = time.monotonic() + seconds
        while True:
            logs = self.logs(base)
            if condition(logs):
                return logs
            self.assertLess(time.monotonic(), deadline, logs)
            time.sleep(0.05)

    def counts(self, logs):
        return {record["pattern"]: record["count"]
                for record in logs["patterns"]}

    def metrics(self, base):
        with urllib.request.urlopen(base + "/metrics/memory",
                                    timeout=20) as answer:
            return answer.read().decode()

    def append(self, name, text):
        with open(self.path(name), "a", encoding="utf-8") as file:
            file.write(text)

    def test_a_real_kill_is_seen_and_named(self):
        if not os.access("/dev/kmsg", os.R_OK):
            self.skipTest("/dev/kmsg cannot be read")
        cgroup = Cgroup(self)
        base = self.collect("--log", "kmsg")
        if not self.logs(base)["sources"][0]["readable"]:
            self.skipTest("/dev/kmsg cannot be read")
        victim = subprocess.Popen([sys.executable, "-c", HUNGRY, cgroup.path])
        self.assertEqual(victim.wait(timeout=60), -9)
        logs = self.until(base, lambda logs: any(
            kill["pid"] == victim.pid for kill in logs["kills"]))
        kill = [k for k in logs["kills"] if k["pid"] == victim.pid][0]
        # The kernel's name of it, which is the interpreter's file.
        self.assertRegex(kill["process"], r"^python3?(\.\d+)?$")
        self.assertIn("Killed process", kill["text"])
        self.assertGreaterEqual(self.counts(logs)["oom_killer"], 1)
        page = self.metrics(base)
        self.assertRegex(page, r'heapledger_log_oom_kills_total\{process="' +
                         kill["process"] + r'"\} [1-9]')

    def test_what_a_process_writes_to_kmsg_is_not_the_kernels(self):
        try:
            kmsg = open("/dev/kmsg", "w", encoding="ascii")
        except OSError as error:
            self.skipTest(f"/dev/kmsg cannot be written: {error}")
        base = self.collect("--log", "kmsg")
        if not self.logs(base)["sources"][0]["readable"]:
            self.skipTest("/dev/kmsg cannot be read")
        with kmsg:
            kmsg.write("Out of memory: Killed process 424242 (forged) "
                       "total-vm:1kB\n")
        logs = self.until(base, lambda logs: logs["sources"][0]["lines"] > 0)
        self.assertFalse(any(kill["pid"] == 424242 for kill in logs["kills"]))

    def test_a_file_is_followed_through_logrotate(self):
        self.append("app.log", "MemoryError: before\n")
        base = self.collect("--log", self.path("app.log"))
        self.append("app.log", "MemoryError: 1\n")
        self.until(base, lambda logs: self.counts(logs).get("malloc_fail") == 1)
        os.rename(self.path("app.log"), self.path("app.log.1"))
        self.append("app.log.1", "MemoryError: 2\n")
        self.append("app.log", "MemoryError: 3\n")
        self.until(base, lambda logs: self.counts(logs).get("malloc_fail") == 3)
        os.truncate(self.path("app.log"), 0)
        self.append("app.log", "MemoryError: 4\n")
        self.until(base, lambda logs: self.counts(logs).get("malloc_fail") == 4)
        os.remove(self.path("app.log"))
        self.append("app.log", "MemoryError: 5\n")
        logs = self.until(
            base, lambda logs: self.counts(logs).get("malloc_fail") == 5)
        self.assertEqual(logs["sources"][0]["lines"], 5)

    def test_patterns_of_the_users_own(self):
        with open(self.path("p.yaml"), "w", encoding="utf-8") as file:
            file.write("disable: [malloc_fail]\npatterns:\n"
                       "  - name: slow\n    severity: high\n"
                       "    regex: 'took ([0-9.]+) s'\n    threshold: 30\n")
        self.append("app.log", "")
        base = self.collect("--log", self.path("*.log"), "--log-patterns",
                            self.path("p.yaml"))
        self.append("app.log", "MemoryError\ntook 29 s\ntook 31 s\n")
        logs = self.until(base, lambda logs: logs["sources"][0]["lines"] == 3)
        self.assertEqual(self.counts(logs), {"slow": 1})
        self.assertIn('heapledger_log_pattern_matches_total{pattern="slow",'
                      'severity="high"} 1', self.metrics(base))

    def test_a_journal_is_followed(self):
        program = self.path("journalctl")
        entry = json.dumps({"MESSAGE": "Out of memory: Killed process 7 (db) "
                            "total-vm:1kB", "_TRANSPORT": "kernel",
                            "__REALTIME_TIMESTAMP": "1795389949960327"})
        with open(program, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\necho '{entry}'\nexec sleep 60\n")
        os.chmod(program, 0o755)
        path = os.environ["PATH"]
        os.environ["PATH"] = self.directory + ":" + path
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        base = self.collect("--log", "journal")
        deadline = time.monotonic() + 20
        while 'oom_kills_total{process="db"} 1' not in self.metrics(base):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_what_cannot_be_is_said(self):
        with open(self.path("p.yaml"), "w", encoding="utf-8") as file:
            file.write("patterns:\n  - {name: a, severity: low, regex: '('}\n")
        for options, why in (
                (["--log-patterns", self.path("p.yaml")], "--log-patterns "
                 "needs a log to look in"),
                (["--log", "kmsg", "--log-patterns", self.path("p.yaml")],
                 "log pattern a: '(' is no expression"),
                (["--log", "kmsg", "--log-patterns", self.path("none.yaml")],
                 "cannot read log patterns")):
            done = subprocess.run(
                [harness.CLI, "collect", "--listen", "127.0.0.1:0", "--dir",
                 self.ledgers, *options], stderr=subprocess.PIPE, text=True,
                timeout=30, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(why, done.stderr)


if __name__ == "__main__":
    unittest.main()
