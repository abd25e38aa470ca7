# SPDX-License-Identifier: Apache-2.0
"""Files of ours, and who else may have made or broken them.

Scenarios 53 (how a ledger is made), 55 (names that an attacker chose), 57 (the
life of the data), 58 (snapshots).
"""

import os
import random
import re
import signal
import stat
import subprocess
import time
import unittest
import urllib.request

import harness
from harness import program
from scenarios import LONG, scenario

NOBODY = 65534
# In a mount namespace: what a stranger put where root's ledgers go by default.
STRANGERS = {
    "a file": "touch $P; chown 65534 $P",
    "a link to a directory of the victim's": "ln -s /var/tmp/victim $P; "
    "chown -h 65534 $P",
    "a link to nowhere": "ln -s /nowhere/at/all $P; chown -h 65534 $P",
    "a pipe": "mkfifo $P; chown 65534 $P",
    "a directory that all may write to": "mkdir -m 777 $P; chown 65534 $P",
    "a directory of his": "mkdir -m 700 $P; chown 65534 $P",
    "our directory, opened": "mkdir -m 777 $P",
}
SQUAT = r"""
mount --make-rprivate / && mount -t tmpfs none /dev/shm &&
  mount -t tmpfs none /var/tmp || exit 77
mkdir -m 700 /var/tmp/victim
P=/dev/shm/heapledger-0
eval "$1" || exit 77
before=$(ls -lid "$P")
LD_PRELOAD=$SHIM "$2" hold churn threads
status=$?
after=$(ls -lid "$P")
ls /var/tmp/heapledger-0 /var/tmp/victim >&2
[ "$before" = "$after" ] || echo "touched: $before $after"
[ -z "$(ls /var/tmp/victim)" ] || echo written into
exit $status
"""
# A function name that a page, a terminal or a label might take for its own;
# written over a name of that length in the program's file.
EVIL = b'a"b\\c{}<script>alert(1)</script>\n# HELP x y\n\x1b[31m\xff\xfe'
PLACE = b"Evil" + b"_" * (len(EVIL) - 4)
EVIL_SOURCE = """
#include <stdlib.h>
#include <stdio.h>
__attribute__((noinline, noclone, used)) void* %s(int n) {
  void* b = malloc(n);
  __asm__ volatile("" : "+r"(b));
  return b;
}
int main(void) {
  for (int i = 0; i < 9; ++i) (void)%s(1000);
  puts("up");
  fflush(stdout);
  getchar();
  return 0;
}
"""
SAMPLE = re.compile(
    r'^[a-zA-Z_:][\w:]*(\{([a-zA-Z_]\w*="([^"\\\n]|\\[\\"n])*",?)*\})? \S+$')


class FilesTest(harness.ShimTest):

    @scenario(53)
    def test_53_strangers_in_our_place(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        bare = self.run_command([program("worker"), "hold", "churn",
                                 "threads"], preload=False)
        for name, squat in STRANGERS.items():
            with self.subTest(stranger=name):
                done = self.run_command(
                    ["unshare", "-m", "sh", "-c", SQUAT, "sh", squat,
                     program("worker")], preload=False,
                    env={"SHIM": harness.SHIM})
                if done.status == 77 or b"unshare" in done.err:
                    self.skipTest("no right to make a mount namespace")
                self.assertEqual((bare.status, bare.out),
                                 (done.status, done.out))
                # The other place took it.
                self.assertRegex(done.err, rb"\d+-\d+\.ledger")

    @scenario(53)
    def test_53_modes_whatever_the_umask(self):
        directory = os.path.join(self.ledgers, "made")
        for mask in (0, 0o777):
            with self.subTest(umask=oct(mask)):
                done = self.run_command(
                    [program("worker"), "hold"],
                    env={"HEAPLEDGER_DIR": directory}, umask=mask)
                self.assertEqual(done.status, 0)
                if not os.path.isdir(directory):
                    continue
                facts = os.stat(directory)
                self.assertEqual(stat.S_IMODE(facts.st_mode) & 0o077, 0)
                for entry in os.scandir(directory):
                    if entry.name.endswith(".ledger"):
                        self.assertEqual(
                            entry.stat(follow_symlinks=False).st_mode & 0o177,
                            0)
                for entry in os.listdir(directory):
                    os.unlink(os.path.join(directory, entry))
                os.rmdir(directory)

    @scenario(53)
    def test_53_a_directory_that_others_may_write_to_is_not_used(self):
        os.chmod(self.ledgers, 0o777)
        done = self.run_both([program("worker"), "hold"])
        self.assertEqual(done.status, 0)
        self.assertEqual(self.ledger_files(), [])

    @scenario(55)
    def test_55_names_that_an_attacker_chose(self):
        directory = os.path.join(self.scratch, 'di"r\\\n{x}')
        os.mkdir(directory)
        for symbol, shown in ((PLACE.decode(), r'a\"b\\c{}<script>'),
                              ("x" * 10240, "x" * 100)):
            source = os.path.join(self.scratch, "evil.c")
            with open(source, "w", encoding="ascii") as file:
                file.write(EVIL_SOURCE % (symbol, symbol))
            path = os.path.join(directory, 'ev"il\n')
            subprocess.run(["gcc", "-g0", "-O1", "-w", "-fno-builtin", source,
                            "-o", path], check=True, timeout=60)
            with open(path, "rb+") as file:
                content = file.read()
                self.assertIn(symbol.encode(), content)
                file.seek(0)
                file.write(content.replace(PLACE, EVIL))
            with self.subTest(symbol=symbol[:20]):
                self.check_names(path, shown)
                os.unlink(path)

    def check_names(self, path, shown):
        bare = self.run_command([path], preload=False)
        base = self.collect()
        process = self.start([path], stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"up\n")
        page = ""
        for _ in range(100):
            page = self.read(base + "/metrics")
            if f'pid="{process.pid}"' in page and "callsite_live" in page:
                break
            time.sleep(0.2)
        self.assertIn(f'pid="{process.pid}"', page)
        for line in page.split("\n"):
            if line and not line.startswith("#"):
                self.assertRegex(line, SAMPLE)
            self.assertLess(len(line), 8192)
        self.assertIn(shown, page)
        # HELP of nobody's, no address, no argument.
        self.assertNotRegex(page, r"(?m)^# HELP x$")
        self.assertNotRegex(page, r"0x[0-9a-f]{6,}")
        report = self.report(process.pid)
        self.assertGreaterEqual(report["totals"]["live_bytes"], 9000)
        for form in ([], ["--format", "folded"], ["--format", "html"],
                     ["--format", "svg"]):
            text = subprocess.run(
                [harness.CLI, "report", str(process.pid), *form, "--dir",
                 self.ledgers], stdout=subprocess.PIPE, timeout=60,
                env=self.environment(False), check=True).stdout
            if form[-1:] in (["html"], ["svg"]):
                self.assertNotIn(b"<script>alert", text)
            else:
                self.assertNotIn(b"\n# HELP x", text)
                self.assertNotIn(b"\x1b", text)
        done = self.finish(process)
        self.assertEqual(bare.status, done.status)

    @staticmethod
    def read(url):
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.read().decode()

    def killed_both_sides(self, seconds):
        """Programs and the collector are killed at random, for a while."""
        self.assertEqual(self.run_command(
            [program("worker"), "hold", "churn", "wait"],
            preload=False).status, 0)
        source = random.Random(57)
        running = {}
        collector, base = self.killable_collector()
        end = time.monotonic() + seconds
        rounds = 0
        while time.monotonic() < end:
            while len(running) < 5:
                process = self.start([program("worker"), "hold", "churn",
                                      "wait"], stdin=subprocess.PIPE)
                running[process.pid] = process
            for _ in range(100):
                if all(self.ledger_files(pid) for pid in running):
                    break
                time.sleep(0.02)
            victim = source.choice(list(running))
            process = running.pop(victim)
            process.send_signal(signal.SIGKILL)
            self.finish(process)
            if rounds % 3 == 0:
                collector.kill()
                collector.wait()
                collector.stderr.close()
                collector, base = self.killable_collector()
            self.check_page(base, running, victim)
            rounds += 1
        for process in running.values():
            process.kill()
            self.finish(process)
        return rounds

    def killable_collector(self):
        process = subprocess.Popen(
            [harness.CLI, "collect", "--listen", "127.0.0.1:0", "--dir",
             self.ledgers, "--interval", "0.1"],
            env=self.environment(False), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        line = process.stderr.readline().decode()
        match = re.search(r"http://[\d.]+:\d+", line)
        self.assertIsNotNone(match, line)
        return process, match.group(0)

    def check_page(self, base, running, victim):
        """Who lives is there, exactly; who was killed goes, its ledger not."""
        pids = set()
        for _ in range(100):
            page = self.read(base + "/metrics")
            live = dict(re.findall(
                r'^heapledger_heap_live_objects\{[^}]*pid="(\d+)"[^}]*\} (\d+)',
                page, re.M))
            pids = {int(pid) for pid in live}
            if pids == set(running) and all(
                    int(count) >= 10 for count in live.values()):
                break
            time.sleep(0.1)
        self.assertEqual(pids, set(running))
        for pid in running:
            self.assertEqual(len(self.ledger_files(pid)), 1)
        [dead] = self.ledger_files(victim)
        self.assertEqual(self.report(dead)["process"]["state"], "killed")

    @scenario(57)
    def test_57_both_sides_are_killed(self):
        self.assertGreater(self.killed_both_sides(600 if LONG else 12), 5)

    @scenario(57)
    def test_57_ledgers_of_the_dead_are_kept_and_then_go(self):
        keeper = self.start([program("worker"), "hold", "churn", "wait"],
                            stdin=subprocess.PIPE)
        for i in range(330):
            done = self.run_command([program("worker"), "hold"])
            self.assertEqual(done.status, 0)
        left = self.ledger_files()
        self.assertLess(len(left), 300)
        self.assertGreater(len(left), 60)
        # The one that lives is there, however old; so is the last that died.
        self.assertEqual(len(self.ledger_files(keeper.pid)), 1)
        self.assertEqual(len(self.ledger_files(done.pid)), 1)
        self.finish(keeper)

    def snapshot(self, pid, path, **kwargs):
        return subprocess.Popen(
            [harness.CLI, "snapshot", str(pid), "-o", path, "--force", "--dir",
             self.ledgers], env=self.environment(False),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, **kwargs)

    def waiting(self):
        process = self.start([program("worker"), "hold", "wider", "say",
                              "wait"], stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"said\n")
        self.addCleanup(self.finish, process)
        self.addCleanup(process.kill)
        return process

    @scenario(58)
    def test_58_whole_or_absent_though_the_writer_is_killed(self):
        process = self.waiting()
        source = random.Random(58)
        path = os.path.join(self.scratch, "x.hl")
        whole = self.snapshot(process.pid, path)
        start = time.monotonic()
        whole.communicate(timeout=60)
        took = time.monotonic() - start
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        os.unlink(path)
        seen = set()
        for _ in range(40):
            writer = self.snapshot(process.pid, path)
            time.sleep(source.random() * took * 1.2)
            writer.kill()
            writer.communicate(timeout=60)
            there = os.path.exists(path)
            seen.add(there)
            if there:
                read = subprocess.run(
                    [harness.CLI, "report", path, "--json"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                    timeout=60, env=self.environment(False), check=False)
                self.assertEqual(read.returncode, 0, read.stderr)
                os.unlink(path)
        self.assertIn(False, seen)

    @scenario(58)
    def test_58_a_full_disk_is_told_and_leaves_nothing(self):
        process = self.waiting()
        script = ("mount --make-rprivate / && mkdir -p $1 && "
                  "mount -t tmpfs -o size=16k none $1 || exit 77; "
                  "shift 0; $CLI snapshot $2 -o $1/x.hl --dir $3; "
                  "status=$?; ls -A $1; exit $status")
        done = self.run_command(
            ["unshare", "-m", "sh", "-c", script, "sh",
             os.path.join(self.scratch, "full"), str(process.pid),
             self.ledgers], preload=False, env={"CLI": harness.CLI})
        if done.status == 77 or b"unshare" in done.err:
            self.skipTest("no right to make a mount namespace")
        self.assertNotEqual(done.status, 0)
        self.assertEqual(done.out, b"", "something is left")
        self.assertEqual(done.err.count(b"\n"), 1, done.err)
        self.assertIn(b"x.hl", done.err)


if __name__ == "__main__":
    unittest.main()
