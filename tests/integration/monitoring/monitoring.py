# SPDX-License-Identifier: Apache-2.0
"""What the tests of the monitoring files share: they write them, read them and
run Prometheus' own tools on them."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import yaml

CLI = os.environ.get("HEAPLEDGER_CLI", "")
HERE = pathlib.Path(__file__).resolve().parent
RULE_TESTS = HERE / "rules"
RUNBOOKS = "https://runbooks.example.org"
RECORDING = "prometheus/rules/heapledger-recording.yml"
ALERTS = "prometheus/rules/heapledger-alerts.yml"


def run(*command, **options):
    """(status, stdout and stderr) of a tool; it must be installed."""
    done = subprocess.run([str(word) for word in command],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120, **options)
    return done.returncode, done.stdout.decode()


def catalogue(*options):
    done = subprocess.run([CLI, "rules", "--json", "--runbook-base", RUNBOOKS,
                           *options], stdout=subprocess.PIPE, check=True,
                          timeout=60)
    return json.loads(done.stdout)


def record_file(name):
    """The test file of a recording rule or an alert."""
    return RULE_TESTS / (name.replace(":", "_") + ".yml")


class MonitoringTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.scratch = pathlib.Path(
            tempfile.mkdtemp(prefix="heapledger-monitoring-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        for tool in ("promtool", "amtool"):
            if shutil.which(tool) is None:
                self.skipTest(f"{tool} is not installed")

    def write(self, *options, into="out"):
        """Writes the files; their directory."""
        directory = self.scratch / into
        status, out = run(CLI, "rules", "-q", "-o", directory,
                          "--runbook-base", RUNBOOKS, *options)
        self.assertEqual(status, 0, out)
        return directory

    def succeeds(self, *command, **options):
        status, out = run(*command, **options)
        self.assertEqual(status, 0, out)
        return out

    @staticmethod
    def load(path):
        return yaml.safe_load(path.read_text())
