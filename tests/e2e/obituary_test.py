# SPDX-License-Identifier: Apache-2.0
"""What is left of a program that died: `collect --obituaries` and
`heapledger postmortem`, on real deaths."""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import harness
from memory_cgroup import MemoryCgroup
from metrics_page import PageTest, promtool_says, samples

MIB = 1 << 20
LIMIT = 256 * MIB
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs",
                      "obituary_cases.cc")


def line_of(words):
    """The number of the one line of the program that has them."""
    with open(SOURCE) as file:
        found = [number for number, line in enumerate(file, 1) if words in line]
    assert len(found) == 1, found
    return found[0]


class DeathTest(PageTest):
    mode = "exact"

    def setUp(self):
        super().setUp()
        self.store = os.path.join(self.scratch, "obituaries")

    def case(self, *arguments, **kwargs):
        """A program that has said "ready"."""
        process = self.start([harness.program("obituary_cases"), *arguments],
                             **kwargs)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def watch(self, *options):
        """A collector that seals; its base URL."""
        return self.collect("--obituaries", self.store, *options)

    def postmortem(self, *arguments, ledgers=None, store=None, status=0):
        done = subprocess.run(
            [harness.CLI, "postmortem", "--obituaries", store or self.store,
             "--dir", ledgers or self.ledgers, *map(str, arguments)],
            env=self.environment(False), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout.decode() if status == 0 else done.stderr.decode()

    def death(self, *arguments, **kwargs):
        return json.loads(self.postmortem(*arguments, "--json", **kwargs))

    def sealed(self, count=1, timeout=60):
        """The obituaries, once there are so many."""
        end = time.monotonic() + timeout
        while True:
            found = sorted(glob.glob(os.path.join(self.store, "*.hl")))
            if len(found) >= count:
                return found
            self.assertLess(time.monotonic(), end, (count, found))
            time.sleep(0.1)

    def total(self, base):
        """reason -> how many, where there are any."""
        return {labels["reason"]: value for name, labels, value in
                samples(self.page(base)) if value and
                name == "heapledger_obituaries_total"}

    def until_sees(self, base, process):
        self.until(base, lambda found: any(
            labels.get("pid") == str(process.pid) for name, labels, _ in found
            if name == "heapledger_heap_live_bytes"))

    def top(self, death):
        return death["report"]["callsites"][0]


class OomKillTest(DeathTest):
    """A real kill by the kernel, at a limit of 256 MiB."""

    def leak(self, group, mib_per_second):
        return self.case("leak", str(mib_per_second), preexec_fn=group.enter)

    def check_leak(self, death):
        """The planted leak is named, with its line and its share."""
        top = self.top(death)
        self.assertIn("Leak()", top["function"])
        self.assertTrue(top["file"].endswith("obituary_cases.cc"), top)
        self.assertEqual(top["line"], line_of("the planted leak"))
        self.assertGreater(top["live_bytes"], 200 * MIB)
        self.assertLess(top["live_bytes"], LIMIT)
        self.assertIn(f"Leak() (obituary_cases.cc:{top['line']})",
                      death["verdict"].replace("(anonymous namespace)::", ""))
        share = int(re.search(r"(\d+) % of its live heap",
                              death["verdict"]).group(1))
        self.assertEqual(share, round(100 * top["live_bytes"] / death["report"][
            "totals"]["live_bytes"]))
        self.assertGreater(share, 95)
        self.check_sums(death["report"])

    def check_kernel(self, death, process, group):
        self.assertEqual(death["reason"], "oom_kill")
        if not os.access("/dev/kmsg", os.R_OK):
            self.skipTest("/dev/kmsg cannot be read")
        report = death["obituary"]["oom_report"]
        self.assertEqual([task["pid"] for task in report["killed"]],
                         [process.pid])
        self.assertTrue(report["limit_cgroup"].endswith(group.name), report)
        self.assertEqual(report["limit_bytes"], LIMIT)
        self.assertIn("killed by the kernel's OOM killer of memory cgroup",
                      death["verdict"])
        self.assertIn("(limit 256.0 MiB)", death["verdict"])
        self.assertTrue(death["died_exactly"])

    def test_with_a_collector(self):
        group = MemoryCgroup(self, LIMIT, "oom")
        base = self.watch()
        process = self.leak(group, 25)
        started = time.time()
        self.until_sees(base, process)
        self.assertEqual(process.wait(timeout=120), -signal.SIGKILL)
        lived = time.time() - started
        path, = self.sealed()
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(self.store).st_mode & 0o777, 0o700)
        self.assertEqual(self.total(base), {"oom_kill": 1})
        death = self.death()
        self.assertTrue(death["sealed"])
        self.assertEqual(death["process"]["pid"], process.pid)
        self.check_leak(death)
        self.check_kernel(death, process, group)
        obituary = death["obituary"]
        # Its curve: it rises to the end, of which no more than the time between
        # two looks is missing.
        rows = death["history"]["rows"]
        self.assertGreater(len(rows), 10)
        live = [row[1] for row in rows]
        self.assertEqual(live[-1], death["report"]["totals"]["live_bytes"])
        self.assertEqual(live, sorted(live))
        self.assertGreater(rows[-1][0] - rows[0][0], 1000 * lived * 0.6)
        rate = float(re.search(r"grew by ([\d.]+) MiB/s",
                               death["verdict"]).group(1))
        self.assertGreater(rate, 5)
        self.assertLess(rate, 26)
        # What came before the end.
        self.assertTrue(obituary["pressure"])
        for sample in obituary["pressure"]:
            self.assertIn(sample["threshold"], (0.9, 0.97))
            self.assertGreaterEqual(sample["usage_ratio"], sample["threshold"])
            self.assertEqual(sample["limit_bytes"], LIMIT)
            self.assertIn("Leak()", sample["callsites"][0]["function"])
        kinds = [event["kind"] for event in obituary["events"]]
        self.assertEqual(kinds[0], "start")
        self.assertIn("pressure", kinds)
        self.assertIn("kernel", kinds)
        before, after = obituary["cgroup_before"], obituary["cgroup_after"]
        self.assertEqual(before["version"], group.version)
        self.assertTrue(before["cgroup"].endswith(group.name))
        self.assertEqual(before["limits"][0]["limit_bytes"], LIMIT)
        self.assertEqual(after["oom_kills"], before["oom_kills"] + 1)
        self.assertGreater(after["peak_bytes"], LIMIT - 4 * MIB)
        self.assertGreater(obituary["last_resident_bytes"], 100 * MIB)
        self.assertIn("host_before", obituary)
        # Its series are gone.
        self.assertNotIn(f'pid="{process.pid}"', self.page(base))
        text = self.postmortem()
        for words in ("was killed by the kernel's OOM killer", "live heap",
                      "callsites at the end", "when memory ran short",
                      "the OOM killer's report", "timeline", "█"):
            self.assertIn(words, text)

    def test_without_a_collector(self):
        group = MemoryCgroup(self, LIMIT, "oom")
        process = self.leak(group, 400)
        self.assertEqual(process.wait(timeout=120), -signal.SIGKILL)
        for arguments in ((), (process.pid,), ("obituary_cases",)):
            death = self.death(*arguments)
            self.assertFalse(death["sealed"])
            self.assertEqual(death["process"]["pid"], process.pid)
            self.check_leak(death)
        self.check_kernel(death, process, group)
        self.assertIn("no collector watched it", self.postmortem())

    def test_after_a_kill_of_the_whole_group(self):
        group = MemoryCgroup(self, LIMIT, "oom")
        base = self.watch()
        watched = self.case("family", "2", preexec_fn=group.enter)
        self.until_sees(base, watched)
        members = group.pids()
        self.assertEqual(len(members), 3)
        time.sleep(1)
        for pid in members:
            os.kill(pid, signal.SIGKILL)
        paths = self.sealed(3)
        deaths = [self.death(path) for path in paths]
        self.assertEqual({death["process"]["pid"] for death in deaths},
                         set(members))
        for death in deaths:
            self.assertEqual(death["reason"], "signal")
            # Not taken for the OOM killer, whose count did not move.
            self.assertNotIn("oom_report", death["obituary"])
            self.assertIn("(by whom is not known)", death["verdict"])
            self.assertIn("Hold()", self.top(death)["function"])
            self.check_sums(death["report"])
        # The same of the ledgers alone.
        for pid in members:
            alone = self.death(pid, store=self.scratch)
            self.assertFalse(alone["sealed"])
            sealed = next(death for death in deaths
                          if death["process"]["pid"] == pid)
            self.assertEqual(alone["report"]["callsites"],
                             sealed["report"]["callsites"])
            self.assertEqual(alone["reason"], "unknown")


class EndingsTest(DeathTest):

    ENDINGS = {
        ("segv",): ("crash", "a crash (SIGSEGV)"),
        ("abort",): ("crash", "a crash (SIGABRT)"),
        ("raise", "15"): ("signal", "killed by SIGTERM"),
        ("exit", "3"): ("exit", "its own exit with status 3"),
        ("exit", "0"): ("exit", "its own exit with status 0"),
        ("raw_exit", "5"): ("exit", "its own exit with status 5"),
    }

    def test_each_end_is_named(self):
        base = self.watch()
        processes = {self.case(*arguments): expected
                     for arguments, expected in self.ENDINGS.items()}
        killed = self.case("wait")
        self.until_sees(base, killed)
        time.sleep(0.5)
        killed.kill()
        processes[killed] = ("signal", "killed by SIGKILL")
        for process in processes:
            process.wait(timeout=60)
        self.sealed(len(processes))
        for process, (reason, words) in processes.items():
            death = self.death(process.pid)
            self.assertEqual(death["reason"], reason, death["verdict"])
            self.assertIn(words, death["verdict"])
            self.assertTrue(death["died_exactly"])
            self.assertLess(abs(os.stat(death["path"]).st_mtime - time.time()),
                            120)
            self.assertIn("Hold() (obituary_cases.cc:", death["verdict"].replace(
                "(anonymous namespace)::", ""))
            if reason == "signal":
                self.assertIn("(by whom is not known)", death["verdict"])
        found = self.total(base)
        self.assertEqual(found, {"crash": 2, "signal": 2, "exit": 3})
        said = promtool_says(self.page(base))
        self.assertIn(said, (None, []))

    def test_without_a_collector_only_what_is_known_is_said(self):
        for arguments, reason, words in (
                (("exit", "3"), "exit", "with which status is not known"),
                (("raise", "9"), "unknown", "by which signal is not known"),
                (("abort",), "unknown", "by which signal is not known")):
            process = self.case(*arguments)
            process.wait(timeout=60)
            death = self.death(process.pid)
            self.assertEqual(death["reason"], reason)
            self.assertIn(words, death["verdict"])
            self.assertIn("Hold()", self.top(death)["function"])
        # A fault is in the kernel's log.
        process = self.case("segv")
        process.wait(timeout=60)
        death = self.death(process.pid)
        if death["reason"] != "unknown":  # the kernel may not log all faults
            self.assertIn("most likely ended by a crash (SIGSEGV)",
                          death["verdict"])

    def test_what_runs_is_no_death(self):
        process = self.case("wait")
        self.assertIn("runs; read its heap with heapledger report",
                      self.postmortem(process.pid, status=1))
        self.assertIn("no death of 'nobody'",
                      self.postmortem("nobody", status=1))


class CrowdTest(DeathTest):

    def test_two_of_one_name_and_forked_children(self):
        base = self.watch()
        first, second = self.case("wait"), self.case("family", "2")
        self.until_sees(base, second)
        time.sleep(1)
        first.kill()
        self.sealed(1)
        self.assertEqual(self.death("obituary_cases")["process"]["pid"],
                         first.pid)
        children = [int(pid) for pid in subprocess.run(
            ["pgrep", "-P", str(second.pid)], stdout=subprocess.PIPE,
            check=True).stdout.split()]
        self.assertEqual(len(children), 2)
        for pid in (*children, second.pid):
            os.kill(pid, signal.SIGKILL)
        self.sealed(4)
        for pid in (first.pid, second.pid, *children):
            death = self.death(pid)
            self.assertEqual(death["process"]["pid"], pid)
            inherited = death["report"]["totals"]["inherited_bytes"]
            self.assertEqual(inherited > 0, pid in children)

    def test_deaths_from_before_the_collector_are_sealed_once(self):
        processes = [self.case("wait") for _ in range(2)]
        for process in processes:
            process.kill()
            process.wait()
        base = self.watch()
        paths = self.sealed(2)
        self.assertEqual(self.total(base), {"unknown": 2})
        written = [os.stat(path).st_ctime_ns for path in paths]
        # Another collector finds them sealed.
        again = self.watch()
        self.until_sees(again, self.case("wait"))
        time.sleep(1.5)
        self.assertEqual(self.total(again), {})
        self.assertEqual([os.stat(path).st_ctime_ns for path in paths],
                         written)

    def test_a_pid_that_comes_again(self):
        """Two obituaries of one pid are two processes."""
        process = self.case("wait")
        process.kill()
        process.wait()
        ledger, = self.ledger_files()
        self.watch()
        path, = self.sealed()
        other = re.sub(r"-(\d+)-0-", r"-1\1-0-", path)
        shutil.copy(path, other)
        os.utime(other)  # died later
        self.assertEqual(self.death(process.pid)["path"], other)
        self.assertEqual(self.death(ledger)["sealed"], False)

    def test_retention_holds_under_many_quick_deaths(self):
        base = self.watch("--obituary-keep", "20")
        script = " & ".join([harness.program("obituary_cases") + " brief"] * 20)
        for _ in range(10):
            self.run_command(["/bin/sh", "-c", script + " & wait"])
        # The shim itself removes the ledgers of the dead when there are many.
        deadline = time.monotonic() + 60
        before = -1
        while sum(self.total(base).values()) != before or before < 20:
            self.assertLess(time.monotonic(), deadline, self.total(base))
            before = sum(self.total(base).values())
            time.sleep(2)
        files = os.listdir(self.store)
        self.assertEqual(len(files), 20, files)
        for name in files:
            self.assertIn(self.death(os.path.join(self.store, name))["reason"],
                          ("exit", "unknown"))

    def test_bytes_are_bounded_too(self):
        base = self.watch("--obituary-max-bytes", "30000")
        for _ in range(6):
            process = self.case("wait")
            self.until_sees(base, process)
            process.kill()
            process.wait()
        deadline = time.monotonic() + 60
        while sum(self.total(base).values()) < 6:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.2)
        sizes = [os.path.getsize(path) for path in self.sealed()]
        self.assertLessEqual(sum(sizes), 30000)
        self.assertLess(len(sizes), 6)


class DiskTest(DeathTest):

    def test_a_full_disk_is_told_and_tried_again(self):
        disk = tempfile.mkdtemp(prefix="heapledger-e2e-", dir=self.scratch)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "none", disk],
            stderr=subprocess.DEVNULL)
        if mounted.returncode != 0:
            self.skipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        self.store = disk
        filler = os.path.join(disk, "filler")
        with open(filler, "wb") as file:
            file.write(b"x" * 60000)
        base = self.watch()
        process = self.case("wait")
        self.until_sees(base, process)
        process.kill()
        process.wait()

        def failed(found):
            return [value for name, _, value in found if value and
                    name == "heapledger_obituary_failures_total"]
        self.until(base, failed)
        self.assertEqual(os.listdir(disk), ["filler"])
        os.unlink(filler)
        path, = self.sealed()
        death = self.death(path)
        self.assertEqual(death["reason"], "signal")
        self.assertGreater(len(death["history"]["rows"]), 1)

    def test_a_place_that_cannot_be_used_is_refused(self):
        os.mkdir(self.store)
        os.chmod(self.store, 0o777)
        done = subprocess.run(
            [harness.CLI, "collect", "--listen", "127.0.0.1:0", "--dir",
             self.ledgers, "--obituaries", self.store],
            stderr=subprocess.PIPE, timeout=60, env=self.environment(False))
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"others may write to the directory of obituaries",
                      done.stderr)


class ElsewhereTest(DeathTest):

    def test_an_obituary_is_read_where_nothing_else_is(self):
        """Another directory, no program, no debug information."""
        binary = os.path.join(self.scratch, "moved_cases")
        shutil.copy(harness.program("obituary_cases"), binary)
        base = self.watch()
        process = self.start([binary, "wait"])
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        self.until_sees(base, process)
        subprocess.run([harness.CLI, "mark", str(process.pid), "before",
                        "--dir", self.ledgers], check=True,
                       env=self.environment(False), stderr=subprocess.DEVNULL)
        time.sleep(1)
        process.kill()
        process.wait()
        path, = self.sealed()
        elsewhere = os.path.join(tempfile.mkdtemp(dir=self.scratch), "mailed.hl")
        shutil.move(path, elsewhere)
        os.unlink(binary)
        for ledger in self.ledger_files():
            os.unlink(ledger)
        death = self.death(elsewhere, ledgers=self.scratch, store="/nowhere")
        self.assertIn("Hold() (obituary_cases.cc:", death["verdict"].replace(
            "(anonymous namespace)::", ""))
        self.assertEqual([mark["name"] for mark in death["marks"]], ["before"])
        self.assertIn("mark", [event["kind"] for event in
                               death["obituary"]["events"]])
        # Every reader of snapshots reads it.
        report = self.report(elsewhere)
        self.assertEqual(report["callsites"], death["report"]["callsites"])
        copy = os.path.join(self.scratch, "copy.hl")
        for command in (["diff", elsewhere, elsewhere],
                        ["snapshot", elsewhere, "-o", copy, "-q"],
                        ["report", elsewhere, "--format", "pb.gz"]):
            done = subprocess.run([harness.CLI, *command],
                                  env=self.environment(False),
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.death(copy)["obituary"], death["obituary"])
        self.assertEqual(self.death(copy)["history"], death["history"])
        page = self.postmortem(elsewhere, "--format", "html")
        self.assertIn("<svg class=\"history\"", page)
        self.assertIn("was killed by SIGKILL", page)
        self.assertNotIn("http://", page.replace("http://www.w3.org", ""))
        for extension in ("pb.gz", "html", "json", "svg", "folded"):
            output = os.path.join(self.scratch, "why." + extension)
            self.postmortem(elsewhere, "-o", output)
            self.assertGreater(os.path.getsize(output), 100)
            self.assertIn("is there already",
                          self.postmortem(elsewhere, "-o", output, status=1))

    def test_a_plain_snapshot_is_no_obituary(self):
        process = self.case("wait")
        path = os.path.join(self.scratch, "heap.hl")
        subprocess.run([harness.CLI, "snapshot", str(process.pid), "-o", path,
                        "-q", "--dir", self.ledgers], check=True,
                       env=self.environment(False))
        self.assertIn("is a snapshot and no obituary",
                      self.postmortem(path, status=2))


if __name__ == "__main__":
    unittest.main()
