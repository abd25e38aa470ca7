# SPDX-License-Identifier: Apache-2.0
"""Heaps written in every format, for a test to read."""

import json
import os
import subprocess

import harness

WRITER = os.environ.get("HEAPLEDGER_WRITE_PROFILES", "")
VALUES = ("live_bytes", "live_objects", "allocated_bytes", "allocations")


class WrittenTest(harness.ShimTest):

    def write(self, *words):
        """Writes into the scratch directory; what write_profiles printed."""
        done = subprocess.run([WRITER, self.scratch, *map(str, words)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def path(self, stem, extension):
        return os.path.join(self.scratch, f"{stem}.{extension}")

    def text(self, stem, extension):
        """The file as UTF-8, which it must be."""
        with open(self.path(stem, extension), "rb") as file:
            return file.read().decode("utf-8")
