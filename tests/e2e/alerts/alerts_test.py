# SPDX-License-Identifier: Apache-2.0
"""The proof of alerts in short: a few lives of each family, a rule judged by a
real Prometheus, and what the scores and gates make of it."""

import contextlib
import io
import json
import os
import tempfile
import unittest

import families
import prove
import scores
from rules import firing
from trace_file import Trace

BUILD = os.environ.get("HEAPLEDGER_BUILD", "")
RULES = """
groups:
- name: records
  rules:
  - record: memory:used
    expr: heapledger_memory_headroom_bytes / memory:limit
  - record: memory:limit
    expr: max by (pid) (heapledger_memory_limit_bytes) * on (pid)
      group_right heapledger_memory_limit_bytes ^ 0
- name: alerts
  rules:
  - {alert: LittleLeft, expr: "memory:used < 0.2", for: 1m,
     keep_firing_for: 2m, labels: {severity: critical}}
  - {alert: Forecast, expr: "heapledger_heap_exhaustion_seconds < 3000"}
  - {alert: NotHere, expr: "python_memory_objects > 1"}
"""


def leak(end, onset=3600):
    """A trace that rises from its onset on, and ends in an OOM at `end`."""
    limit = 1 << 30
    values = [limit // 4 + 3 * limit // 4 * max(t - onset, 0) // (end - onset)
              for t in range(end + 100)]
    return Trace("leak-fast-0", limit, onset, values)


class FiringTest(unittest.TestCase):

    def test_waits_and_keeps_on(self):
        self.assertEqual(firing([0, 15, 30], 30, 0), [30])
        self.assertEqual(firing([0, 15, 30], 45, 60), [])
        self.assertEqual(firing([0, 15, 30], 15, 30), [15, 30, 45, 60])

    def test_a_gap_ends_the_waiting_but_not_what_fires(self):
        self.assertEqual(firing([0, 15, 60, 75], 30, 0), [])
        self.assertEqual(firing([0, 15, 45, 60], 15, 60),
                         [15, 30, 45, 60, 75, 90, 105, 120])
        self.assertEqual(firing([], 0, 60), [])


class ScoresTest(unittest.TestCase):

    def test_counts_leads_from_the_end_and_delays_from_the_onset(self):
        trace = leak(3600 + 3600)
        self.assertEqual(trace.oom, 7200)
        self.assertEqual(len(trace.values), 7200)
        for fires, led, found, early in (([5000], 1, 1, 0),
                                         ([6200], 1, 0, 0),
                                         ([6500], 0, 0, 0),
                                         ([100, 6500], 0, 0, 1),
                                         ([7300], 0, 0, 0)):
            score = scores.score([trace], {trace.name: fires})["leak-fast"]
            self.assertEqual((score.led, score.found, score.early),
                             (led, found, early), fires)
            self.assertEqual((score.long, score.paced), (1, 1))

    def test_asks_for_no_more_than_there_is_time_for(self):
        self.assertEqual(scores.score([leak(3600 + 1700)], {})
                         ["leak-fast"].long, 0)
        self.assertFalse(scores.pace_allows(leak(3600 + 4 * 3600)))

    def test_gates_hold_the_families_to_their_shares(self):
        traces = [Trace(f"flat-{i}", 100_000, None, [5000] * 9)
                  for i in range(100)]
        for false, passes in ((0, True), (1, True), (2, False)):
            said = {f"flat-{i}": [5] for i in range(false)}
            gate, = scores.gates(scores.score(traces, said))
            self.assertEqual(gate.passes, passes, false)


class FamiliesTest(unittest.TestCase):

    def test_a_seed_gives_the_same_lives_and_another_others(self):
        self.assertEqual(families.make("flat", 3, 5).values,
                         families.make("flat", 3, 5).values)
        self.assertNotEqual(families.make("flat", 3, 5).values,
                            families.make("flat", 3, 6).values)

    def test_leaks_end_and_the_rest_does_not(self):
        for family in families.FAMILIES:
            trace = families.make(family, 0, 5)
            self.assertEqual(trace.oom is not None,
                             family.startswith("leak"), family)


class ProofTest(unittest.TestCase):

    def test_judges_rules_and_the_detector_on_every_family(self):
        with tempfile.TemporaryDirectory() as folder:
            rules = os.path.join(folder, "rules.yml")
            with open(rules, "w") as file:
                file.write(RULES)
            out = io.StringIO()
            status = prove.main(["--build", BUILD, "--traces", "2", "--seed",
                                 "3", "--rules", rules, "-o", folder], out)
            self.assertEqual(status, 0, out.getvalue())
            self.assertIn("NotHere (needs python_memory_objects)",
                          out.getvalue())
            with open(os.path.join(folder, "proof.json")) as file:
                proof = json.load(file)
        detector, little, forecast = proof["sources"]
        self.assertEqual(
            [s["source"] for s in proof["sources"]],
            ["detector", "LittleLeft", "Forecast"])
        self.assertTrue(detector["gates"])
        # A rule on what the detector exports fires as the detector does.
        for here, there in zip(detector["families"], forecast["families"]):
            self.assertEqual(here, there)
        # Every leak passes 80 % on its way, and most others get there too.
        families_of = {f["family"]: f for f in little["families"]}
        self.assertEqual(families_of["leak-slow"]["detected"], 2)
        self.assertEqual(families_of["flat"]["false_alarms"], 0)

    def test_a_gate_that_does_not_hold_is_the_status(self):
        with tempfile.TemporaryDirectory() as folder:
            rules = os.path.join(folder, "rules.yml")
            with open(rules, "w") as file:
                file.write(RULES)
            out = io.StringIO()
            # What comes to rest above 80 % is no leak.
            status = prove.main(
                ["--build", BUILD, "--traces", "8", "--seed", "3", "--family",
                 "fragmentation", "--rules", rules, "--gate", "LittleLeft"],
                out)
            self.assertEqual(status, 1, out.getvalue())
            self.assertIn("FAIL: fragmentation traces", out.getvalue())

    def test_says_what_it_cannot_run(self):
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            self.assertEqual(prove.main(["--build", "/nowhere"]), 2)
        self.assertIn("build first", err.getvalue())


if __name__ == "__main__":
    unittest.main()
