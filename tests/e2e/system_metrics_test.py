# SPDX-License-Identifier: Apache-2.0
"""Memory of host, processes and cgroups as `heapledger collect` serves it, held
against what /proc and the cgroup's own files say of the same real processes."""

import os
import signal
import subprocess
import time
import unittest

import harness
from metrics_page import PageTest, promtool_says, samples

PAGES = ("", "/memory", "/python", "/gc", "/callsites")
PAGE_BYTES = os.sysconf("SC_PAGESIZE")
MIB = 1 << 20

# Holds some memory and waits for lines: bytes to take beyond.
HOLDER = """
import sys
held = [bytearray(b"x") * (20 << 20)]
print("ready", flush=True)
for line in sys.stdin:
    held.append(bytearray(b"x") * int(line))
    print("took", flush=True)
"""


def numbers(path):
    """{name: number} of a file of lines "name[:] number [kB]", in bytes."""
    found = {}
    with open(path) as file:
        for line in file:
            words = line.split()
            if len(words) > 1 and words[1].isdigit():
                scale = 1024 if words[-1] == "kB" else 1
                found[words[0].rstrip(":")] = int(words[1]) * scale
    return found


def memory_cgroup():
    """Our own v1 memory cgroup's directory, or None."""
    with open("/proc/self/cgroup") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if "memory" in controllers.split(","):
                directory = "/sys/fs/cgroup/memory" + path
                return directory if os.path.isdir(directory) else None
    return None


class HolderTest(PageTest):
    """A program that holds what it is told to."""

    def holder(self, preload=True, **kwargs):
        process = self.start(["/usr/bin/python3", "-c", HOLDER],
                             preload=preload, stdin=subprocess.PIPE, **kwargs)
        for stream in (process.stdin, process.stdout, process.stderr):
            self.addCleanup(stream.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def stopped(self, process):
        """Its figures stand still from here on."""
        process.send_signal(signal.SIGSTOP)
        while True:
            with open(f"/proc/{process.pid}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "T":
                    return
            time.sleep(0.01)


class SystemMetricsTest(HolderTest):

    def check_against_proc(self, values, pid):
        status = numbers(f"/proc/{pid}/status")
        with open(f"/proc/{pid}/statm") as file:
            size, resident, shared, text, _, data, _ = (
                int(word) * PAGE_BYTES for word in file.read().split())
        for name, expected in (("vms", size), ("rss", resident),
                               ("shared", shared), ("text", text),
                               ("data", data)):
            self.assertEqual(values[f"process_memory_{name}_bytes"], expected,
                             name)
            self.assertEqual(values[("memory_usage_bytes", name)], expected)
        self.assertEqual(resident, status["VmRSS"])
        self.assertEqual(values["process_memory_peak_rss_bytes"],
                         status["VmHWM"])
        self.assertEqual(values[("memory_usage_bytes", "lib")],
                         status["VmLib"])
        self.assertEqual(values[("memory_usage_bytes", "swap")],
                         status["VmSwap"])
        rollup = numbers(f"/proc/{pid}/smaps_rollup")
        dirty = rollup["Private_Dirty"] + rollup["Shared_Dirty"]
        # The walk was up to a sample before the stop.
        self.assertLess(abs(values["process_memory_dirty_bytes"] - dirty),
                        2 * MIB)
        self.assertEqual(values["heapledger_process_open_fds"],
                         len(os.listdir(f"/proc/{pid}/fd")))
        self.assertLess(
            abs(time.time() -
                values["heapledger_target_last_sample_timestamp_seconds"]), 10)

    def test_the_host_alone(self):
        found = {name: value for name, labels, value in samples(
            self.page(self.sampled())) if not labels}
        info = numbers("/proc/meminfo")
        self.assertEqual(found["heapledger_targets"], 0)
        self.assertEqual(found["memory_total_bytes"], info["MemTotal"])
        self.assertEqual(found["memory_commit_limit_bytes"],
                         info["CommitLimit"])
        self.assertEqual(
            found["memory_swap_used_bytes"] + found["memory_swap_free_bytes"],
            info["SwapTotal"])
        for name, line in (("available", "MemAvailable"),
                           ("buffers", "Buffers"), ("cached", "Cached"),
                           ("committed_as", "Committed_AS")):
            self.assertLess(abs(found[f"memory_{name}_bytes"] - info[line]),
                            0.1 * info["MemTotal"], name)
        paging = numbers("/proc/vmstat")
        for name, line in (("swap_in_pages", "pswpin"),
                           ("swap_out_pages", "pswpout"),
                           ("major_faults", "pgmajfault")):
            value = found[f"heapledger_{name}_total"]
            self.assertLessEqual(value, paging[line])
            self.assertGreaterEqual(value, 0.9 * paging[line] - 1000)

    def test_a_process_under_the_shim(self):
        process = self.holder()
        base = self.collect()
        self.until(base, lambda found: "heapledger_heap_resident_bytes" in
                   self.of(found, process.pid))
        self.stopped(process)
        time.sleep(1)  # five samples
        found = samples(self.page(base))
        values = self.of(found, process.pid)
        self.check_against_proc(values, process.pid)
        parts = {key[1]: value for key, value in values.items()
                 if key[0] == "heapledger_resident_bytes"}
        self.assertEqual(set(parts), {
            "live", "allocator_retained", "allocator_metadata", "ledger",
            "stack", "file", "other"})
        self.assertEqual(sum(parts.values()),
                         values["process_memory_rss_bytes"])
        self.assertEqual(parts["live"],
                         values["heapledger_heap_live_bytes"])
        self.assertGreater(parts["live"], 20 * MIB)
        for part in ("ledger", "stack", "file", "allocator_metadata"):
            self.assertGreater(parts[part], 0, part)
        self.assertLess(parts["ledger"], 4 * MIB)
        self.assertEqual(
            values["heapledger_heap_resident_bytes"], parts["live"] +
            parts["allocator_metadata"] + parts["allocator_retained"])
        ratio = values["heapledger_memory_usage_ratio"]
        self.assertAlmostEqual(
            ratio, 1 - values["heapledger_memory_headroom_bytes"] /
            values["heapledger_memory_limit_bytes"])
        self.assertAlmostEqual(values["process_memory_percent"], 100 * ratio)

    def test_parts_add_up_while_the_program_runs(self):
        process = self.holder()
        base = self.collect()
        self.until(base, lambda found: "heapledger_heap_resident_bytes" in
                   self.of(found, process.pid))
        for _ in range(20):
            process.stdin.write(b"1000000\n")
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), b"took\n")
            values = self.of(samples(self.page(base)), process.pid)
            self.assertEqual(
                sum(value for key, value in values.items()
                    if key[0] == "heapledger_resident_bytes"),
                values["process_memory_rss_bytes"])
            time.sleep(0.1)

    def test_processes_that_are_watched(self):
        by_pid = self.holder(preload=False)
        renamed = os.path.join(self.scratch, "heapl-e2e-holder")
        os.symlink("/usr/bin/python3", renamed)
        named = subprocess.Popen(
            [renamed, "-c", "import time; time.sleep(600)"],
            env=self.environment(False))
        self.addCleanup(named.wait)
        self.addCleanup(named.kill)
        base = self.collect("--watch", str(by_pid.pid), "--watch",
                            "heapl-e2e-holde")
        found = self.until(base, lambda found: self.of(
            found, named.pid).get("process_memory_dirty_bytes"))
        self.assertEqual(
            {labels["process"] for name, labels, _ in found
             if labels.get("pid") == str(named.pid)}, {"heapl-e2e-holde"})
        self.stopped(by_pid)
        time.sleep(1)
        values = self.of(samples(self.page(base)), by_pid.pid)
        self.check_against_proc(values, by_pid.pid)
        self.assertGreater(values["process_memory_rss_bytes"], 20 * MIB)
        for name in values:
            self.assertNotIn("heap_live", name)
            self.assertNotEqual(name[0], "heapledger_resident_bytes")
        self.assertIn(("heapledger_targets", {}, 2.0), found)
        # Its growth is followed too; of seconds there is nothing to say yet.
        self.assertEqual(values["heapledger_heap_leak_score"], 0)
        named.kill()
        named.wait()
        self.until(base, lambda found: not self.of(found, named.pid))

    def test_a_pid_that_nobody_has_is_refused(self):
        done = subprocess.run(
            [harness.CLI, "collect", "--listen", "127.0.0.1:0", "--dir",
             self.ledgers, "--watch", "999999999"], stderr=subprocess.PIPE,
            timeout=60, env=self.environment(False))
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"watch pid 999999999: no such process", done.stderr)

    def test_every_page_passes_promtool(self):
        process = self.holder()
        base = self.collect()
        self.until(base, lambda found: "heapledger_heap_resident_bytes" in
                   self.of(found, process.pid))
        for path in PAGES:
            text = self.page(base, path)
            self.assertIn("heapledger_scrape_duration_seconds", text)
            keys = [(name, tuple(sorted(labels.items())))
                    for name, labels, _ in samples(text)]
            self.assertEqual(len(keys), len(set(keys)), path)
            self.assertFalse([labels for _, labels, _ in samples(text)
                              if labels.get("type") == "percent"])
            said = promtool_says(text)
            if said is None:
                self.skipTest("promtool is not installed")
            self.assertEqual(said, [], path)

    def test_prefixed_names(self):
        process = self.holder()
        base = self.collect("--metric-names", "prefixed")
        found = self.until(base, lambda found: self.of(
            found, process.pid).get(
                "heapledger_process_memory_rss_bytes"))
        self.assertEqual([name for name, _, _ in found
                          if not name.startswith("heapledger_")], [])


class CgroupMetricsTest(HolderTest):
    """In a real cgroup of v1 with a limit."""

    LIMIT = 128 * MIB

    def setUp(self):
        super().setUp()
        parent = memory_cgroup()
        if parent is None:
            self.skipTest("the memory controller of cgroup v1 is not mounted")
        self.group = os.path.join(parent, f"heapledger-test-{os.getpid()}")
        try:
            os.mkdir(self.group)
        except OSError as error:
            self.skipTest(f"a cgroup cannot be made here: {error}")
        self.addCleanup(self.remove_group)
        self.write("memory.limit_in_bytes", self.LIMIT)

    def remove_group(self):
        for _ in range(100):
            try:
                return os.rmdir(self.group)
            except OSError:
                time.sleep(0.1)

    def write(self, name, value):
        with open(os.path.join(self.group, name), "w") as file:
            file.write(str(value))

    def read(self, name):
        with open(os.path.join(self.group, name)) as file:
            return file.read()

    def events(self, found):
        return {labels["event"]: value for name, labels, value in found
                if name == "heapledger_cgroup_memory_events_total" and
                labels["cgroup"].endswith(os.path.basename(self.group))}

    def test_limit_headroom_and_the_kill(self):
        process = self.holder(
            preexec_fn=lambda: self.write("cgroup.procs", os.getpid()))
        base = self.collect()
        name = "heapledger_memory_limit_bytes"
        found = self.until(
            base, lambda found: name in self.of(found, process.pid))
        values = self.of(found, process.pid)
        self.assertEqual(values[name], self.LIMIT)
        stat = numbers(os.path.join(self.group, "memory.stat"))
        used = (int(self.read("memory.usage_in_bytes")) -
                stat["total_inactive_file"])
        self.assertGreater(used, 20 * MIB)
        self.assertLess(
            abs(values["heapledger_memory_headroom_bytes"] -
                (self.LIMIT - used)), 4 * MIB)
        self.assertAlmostEqual(values["heapledger_memory_usage_ratio"],
                               used / self.LIMIT, delta=0.05)
        self.assertEqual(self.events(found)["oom_kill"], 0)

        process.stdin.write(b"%d\n" % (4 * self.LIMIT))
        process.stdin.flush()
        self.assertEqual(process.wait(timeout=60), -signal.SIGKILL)
        found = self.until(
            base, lambda found: self.events(found).get("oom_kill"))
        kills = numbers(os.path.join(self.group, "memory.oom_control"))
        self.assertEqual(self.events(found)["oom_kill"], kills["oom_kill"])
        self.assertEqual(self.events(found)["max"],
                         int(self.read("memory.failcnt")))
        self.until(base, lambda found: not self.of(found, process.pid))


if __name__ == "__main__":
    unittest.main()
