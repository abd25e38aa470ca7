# SPDX-License-Identifier: Apache-2.0
"""Ledgers of Python programs, as tests look at them.

Read through `heapledger report --format json`, which names each frame once: a
program that imports a few modules has ten thousand stacks.
"""

import glob
import json
import os
import subprocess

import harness

READ = {"HEAPLEDGER_PYTHON": "frames", "PYTHONMALLOC": "malloc"}
# What must not be said of any of them.
FAULTS = ("frees of blocks that were never booked", "blocks vanished unseen",
          "outside the object map", "differed from a plain walk",
          "have no names")

LONG = os.environ.get("HEAPLEDGER_LONG") == "1"


def interpreters(versions=range(8, 14)):
    """name -> path: the system's CPython (a static one); with HEAPLEDGER_LONG=1
    those of pyenv, too, which takes several times as long."""
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    others = glob.glob(f"{root}/versions/3.*/bin/python3")
    found = {}
    for path in ["/usr/bin/python3", *(sorted(others) if LONG else [])]:
        asked = subprocess.run(
            [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        version = asked.stdout.decode().strip()
        if asked.returncode == 0 and int(version.split(".")[1]) in versions:
            found[version + (" system" if path.startswith("/usr") else "")] = \
                path
    return found


class Site:
    """A callsite: its stack, what lives of it, whether it was inherited."""

    def __init__(self, site, frames):
        self.stack = [frames[index] for index in site["stack"]]
        self.python = [frame for frame in self.stack if frame.get("python")]
        self.live = [site["values"]["live_bytes"],
                     site["values"]["live_objects"]]
        self.inherited = site.get("inherited", False)
        self.callsite, self.function = site["callsite"], site["function"]
        self.line = site.get("line")

    def names(self):
        """Python functions without their class, innermost first."""
        return [frame["function"].rsplit(".", 1)[-1] for frame in self.python]


class Heap:
    """A ledger: pid, remarks and callsites."""

    def __init__(self, test, ledger):
        done = subprocess.run(
            [harness.CLI, "report", ledger, "--format", "json", "--limit", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240,
            env=test.environment(False), check=False)
        test.assertEqual(done.returncode, 0, done.stderr)
        profile = json.loads(done.stdout)
        self.pid = profile["facts"]["pid"]
        self.remarks = profile["remarks"]
        self.sites = [Site(site, profile["frames"])
                      for site in profile["callsites"]]
        for remark in self.remarks:
            for fault in FAULTS:
                test.assertNotIn(fault, remark)
