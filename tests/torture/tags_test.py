# SPDX-License-Identifier: Apache-2.0
"""Tags where they are hard to keep apart: every block is booked under the tag
that its thread was in, and freed from it.

Scenario 61 (scopes under threads, jumps, signals, forks, ends).
"""

import glob
import json
import os
import re
import subprocess
import unittest

import harness
from harness import program
from torture import TortureTest

CHECKING = os.path.join(os.path.dirname(harness.SHIM),
                        "libheapledger-checking.so")
OPEN = re.compile(rb"^open (\w+) (\d+)$", re.M)


class TagsTest(TortureTest):

    def by_tag(self, path):
        """{tag: row} of a ledger, and the report."""
        done = subprocess.run(
            [harness.CLI, "report", path, "--by", "tag", "--json", "--limit",
             "0", "--dir", self.ledgers],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
            env=self.environment(False))
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        for name in ("live_bytes", "live_objects", "allocated_bytes",
                     "allocations", "freed_bytes", "frees"):
            self.assertEqual(sum(row[name] for row in report["tags"]),
                             report["totals"][name], name)
        self.assertEqual(report["corrupt_records"], 0)
        return {row["tag"]: row for row in report["tags"]}, report

    def check(self, what, preload=None, bare_preload=False):
        """Runs one of the program's scenes; its tags and the report."""
        command = [program("tags"), what]
        bare = self.run_command(command, preload=bare_preload)
        done = self.run_command(command, preload=preload or True)
        self.assertEqual(done.status, 0, done.err)
        self.assertEqual(bare.status, 0, bare.err)
        if what not in ("threads", "signals"):  # whose turns are by chance
            self.assertEqual((bare.out, bare.err), (done.out, done.err))
        tags, report = self.by_tag(self.ledger_files(done.pid)[-1])
        if not self.counts_all:
            return tags, report
        expected = self.expected(done.out)
        self.assertEqual(
            {name: [tags[name]["live_bytes"], tags[name]["live_objects"]]
             for name in expected}, expected)
        self.assertEqual(report["degraded"].get("foreign_free", 0), 0)
        self.assertEqual(report["degraded"].get("stack_doubt", 0), 0)
        still_open = {name.decode(): int(count)
                      for name, count in OPEN.findall(done.out)}
        self.assertEqual({name: row["scopes_open"]
                          for name, row in tags.items() if row["scopes_open"]},
                         still_open)
        return tags, report

    def check_twice(self, what):
        """By the shim, and by the one that checks every stack and tag."""
        self.check(what)
        self.check(what, preload=[CHECKING])

    def test_61_threads_that_pass_tagged_blocks_around(self):
        self.check_twice("threads")

    def test_61_jumps_out_of_scopes(self):
        self.check_twice("jump")

    def test_61_exceptions_out_of_scopes(self):
        self.check_twice("throw")

    def test_61_switching_all_the_time(self):
        self.check_twice("switch")

    def test_61_handlers_with_scopes_of_their_own(self):
        below = program("libsignal_safe_malloc.so")
        for shim in (harness.SHIM, CHECKING):
            self.check("signals", preload=[shim, below], bare_preload=[below])

    def test_61_threads_that_end_inside(self):
        self.check_twice("ends")

    def test_61_scopes_nested_too_deeply_to_be_counted(self):
        self.check_twice("deep")

    def test_61_more_tags_than_there_can_be(self):
        tags, report = self.check("many")
        if self.counts_all:
            self.assertEqual(len(tags), 4096)  # with _untagged and _other
            self.assertGreater(report["degraded"]["tags_full"], 0)

    def test_61_forks_inside_scopes(self):
        self.check("fork")
        children = 0
        for path in glob.glob(os.path.join(self.ledgers, "*.ledger")):
            tags, report = self.by_tag(path)
            if "parent_pid" not in report["process"]:
                continue
            children += 1
            if not self.counts_all:
                continue
            # It was in both scopes, and in its own; it freed one block of its
            # parent's, and left two more of the parent's loop, at most.
            self.assertEqual(tags["red"]["live_bytes"], 0)
            self.assertEqual(tags["red"]["inherited_bytes"], 100)
            own = (tags["green"]["allocations"],
                   tags["green"]["allocated_bytes"])
            self.assertEqual(own, (1, 30))
            self.assertEqual({name: row["scopes_open"]
                              for name, row in tags.items()
                              if row["scopes_open"]},
                             {"red": 1, "green": 1, "child": 1})
            self.assertEqual(tags["child"]["labels"], {"of": "fork"})
            self.assertEqual(tags["child"]["allocated_bytes"], 70)
        self.assertEqual(children, 20)


if __name__ == "__main__":
    unittest.main()
