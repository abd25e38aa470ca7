# SPDX-License-Identifier: Apache-2.0
"""Leak or retained: what report says of a heap, and what trim then returns.

Over each allocator: a program that freed nearly all it had, and that keeps it
resident, and one that holds as much.
"""

import json
import os
import subprocess
import time
import unittest

import harness
from harness import program

BYTES = int(os.environ.get("HEAPLEDGER_TRIM_BYTES", 256 << 20))
ALLOCATORS = {"glibc": [], "jemalloc": ["libjemalloc.so.2"],
              "tcmalloc": ["libtcmalloc_minimal.so.4"],
              "mimalloc": ["libmimalloc.so.2.0"]}
# Decays by itself within seconds otherwise, so that nothing is retained.
KEEP = {"MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1"}


def anonymous(pid):
    """Resident bytes of a process in no file, as the kernel has it."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no RssAnon")


class TrimTest(harness.ShimTest):

    def begin(self, how, size=BYTES, preload=(), **env):
        process = self.start([program("retained"), str(size), how],
                             preload=[harness.SHIM, *preload],
                             env={**KEEP, **env}, stdin=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def trim(self, pid, *options):
        return subprocess.run(
            [harness.CLI, "trim", str(pid), "--json", "--dir", self.ledgers,
             *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=120, env=self.environment(False), check=False)

    def trimmed(self, pid):
        done = self.trim(pid, "--timeout", "60s")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def ends_well(self, process):
        process.stdin.close()
        self.assertEqual(process.wait(60), 0, process.stdout.read())

    def check_parts(self, memory):
        self.assertEqual(sum(memory["resident_parts"].values()),
                         memory["resident_bytes"])

    def test_what_was_freed_is_retained_and_no_leak(self):
        for name, preload in ALLOCATORS.items():
            with self.subTest(allocator=name):
                process = self.begin("freed", preload=preload)
                memory = self.report(process.pid)["memory"]
                self.check_parts(memory)
                self.assertEqual(memory["allocator"], name)
                self.assertEqual(memory["verdict"], "retained", memory)
                self.assertIn("retained, not a leak", memory["verdict_text"])
                before = anonymous(process.pid)
                trim = self.trimmed(process.pid)
                after = anonymous(process.pid)
                said = memory["would_return_bytes"]
                returned = before - after
                print(f"{name}: would return {said / 2**20:.1f} MiB, "
                      f"returned {returned / 2**20:.1f} MiB "
                      f"(by its own word {trim['returned_bytes'] / 2**20:.1f})"
                      f" in {trim['duration_seconds']:.3f} s")
                self.assertGreater(said, 0.8 * BYTES)
                self.assertLess(abs(trim["returned_bytes"] - returned),
                                0.05 * BYTES)
                again = self.report(process.pid)["memory"]
                self.check_parts(again)
                self.assertEqual(again["trims"], 1)
                self.assertEqual(again["last_trim"]["asked_by"], "user")
                self.assertLess(abs(said - returned -
                                    again["would_return_bytes"]),
                                0.05 * BYTES)
                if name == "mimalloc":  # lets go of the rest later
                    self.assertIn("part of it", memory["verdict_text"])
                    self.assertGreater(returned, 0.2 * BYTES)
                else:
                    # tcmalloc's caches of free blocks do not shrink with it.
                    caches = 24 << 20 if name == "tcmalloc" else 0
                    self.assertLess(abs(said - returned),
                                    0.05 * returned + caches)
                self.ends_well(process)

    def test_what_is_held_is_live_and_not_retained(self):
        for name, preload in ALLOCATORS.items():
            with self.subTest(allocator=name):
                process = self.begin("held", preload=preload)
                memory = self.report(process.pid)["memory"]
                self.check_parts(memory)
                self.assertEqual(memory["verdict"], "live", memory)
                self.assertIn("live, not retained", memory["verdict_text"])
                live = memory["resident_parts"]["live"]
                self.assertGreater(live, 0.98 * BYTES)
                self.assertLess(memory["would_return_bytes"], 0.1 * BYTES)
                before = anonymous(process.pid)
                self.trimmed(process.pid)
                self.assertLess(before - anonymous(process.pid), 0.05 * BYTES)
                self.ends_well(process)

    def test_a_block_on_every_page_is_fragmentation(self):
        process = self.begin("scattered")
        memory = self.report(process.pid)["memory"]
        self.check_parts(memory)
        self.assertEqual(memory["verdict"], "fragmented", memory)
        pinned = sum(c["pinned_bytes"] for c in memory["size_classes"])
        self.assertGreater(pinned, 0.5 * BYTES)
        before = anonymous(process.pid)
        self.trimmed(process.pid)
        returned = before - anonymous(process.pid)
        self.assertLess(abs(memory["would_return_bytes"] - returned),
                        0.05 * BYTES)
        self.ends_well(process)

    def test_a_program_that_does_not_allocate_is_told(self):
        process = self.begin("silent", size=1 << 20)
        begin = time.monotonic()
        done = self.trim(process.pid, "--timeout", "300ms")
        self.assertLess(time.monotonic() - begin, 20)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr.decode(),
                         r"has not allocated for 300ms and takes requests")
        self.ends_well(process)

    def test_a_signal_handler_leaves_the_allocator_alone(self):
        process = self.begin("handler", size=1 << 20)
        done = self.trim(process.pid)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"it allocated in a signal handler", done.stderr)
        self.assertEqual(self.report(process.pid)["memory"]["trims"], 0)
        self.ends_well(process)

    def test_no_more_than_once_a_second(self):
        process = self.begin("held", size=1 << 20)
        self.trimmed(process.pid)
        done = self.trim(process.pid)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"it was trimmed a moment ago", done.stderr)
        time.sleep(1.2)
        self.trimmed(process.pid)
        self.assertEqual(self.report(process.pid)["memory"]["trims"], 2)
        self.ends_well(process)

    def test_a_dormant_program_and_a_sampled_one(self):
        for mode in ("dormant", "sampled"):
            with self.subTest(mode=mode):
                process = self.begin("freed", size=32 << 20,
                                     HEAPLEDGER_MODE=mode,
                                     HEAPLEDGER_SAMPLE_BYTES="1000")
                memory = self.report(process.pid)["memory"]
                self.assertEqual(memory["verdict"], "unknown")
                self.assertIn("heapledger run", memory["reason"])
                before = anonymous(process.pid)
                self.trimmed(process.pid)
                self.assertGreater(before - anonymous(process.pid), 20 << 20)
                self.ends_well(process)

    def test_what_a_dead_program_leaves(self):
        process = self.begin("freed", size=32 << 20)
        trim = self.trimmed(process.pid)
        self.ends_well(process)
        memory = self.report(process.pid)["memory"]
        self.assertEqual(memory["verdict"], "unknown")
        self.assertIn("while a program runs", memory["reason"])
        self.assertEqual(memory["last_trim"], {
            key: trim[key] for key in memory["last_trim"]})


if __name__ == "__main__":
    unittest.main()
