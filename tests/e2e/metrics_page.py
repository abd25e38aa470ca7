# SPDX-License-Identifier: Apache-2.0
"""Reads pages in Prometheus' text format, and has promtool read them."""

import re
import shutil
import subprocess
import time
import urllib.request

import harness

SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')

# Names that were there before heapledger, kept to the letter; promtool of later
# versions has something to say about them.
VERBATIM = ("process_memory_percent",)


def samples(text):
    """[(name, labels, value)] of a page in the text format."""
    found = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        assert match, line
        labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"',
                                 match.group(2) or ""))
        found.append((match.group(1), labels, float(match.group(3))))
    return found


def promtool_says(text):
    """What promtool finds but for the names above; None without promtool."""
    if shutil.which("promtool") is None:
        return None
    checked = subprocess.run(["promtool", "check", "metrics"],
                             input=text.encode(), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    lines = [line for line in checked.stdout.decode().splitlines()
             if line.split(" ")[0] not in VERBATIM]
    # A status without a word is a finding, too.
    if not lines and not checked.stdout and checked.returncode:
        lines = [f"promtool ended with {checked.returncode}"]
    return lines


class PageTest(harness.ShimTest):
    """A test that scrapes a collector."""

    def page(self, base, path=""):
        with urllib.request.urlopen(base + "/metrics" + path,
                                    timeout=20) as answer:
            return answer.read().decode()

    def until(self, base, condition, seconds=30):
        """Scrapes until `condition(samples)`; the samples."""
        deadline = time.monotonic() + seconds
        while True:
            found = samples(self.page(base))
            if condition(found):
                return found
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)

    def of(self, found, pid):
        """{name or (name, last label): value} of a process."""
        values = {}
        for name, labels, value in found:
            if labels.get("pid") != str(pid):
                continue
            rest = [labels[key] for key in ("type", "part") if key in labels]
            values[(name, *rest) if rest else name] = value
        return values

    def sampled(self, *options):
        """A collector that has looked at the system; its base URL."""
        base = self.collect(*options)
        self.until(base, lambda found: any(
            name.endswith("memory_total_bytes") for name, _, _ in found))
        return base
