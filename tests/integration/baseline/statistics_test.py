# SPDX-License-Identifier: Apache-2.0
"""A baseline's statistics against those of Python's statistics module and of
PromQL, over the same samples. HEAPLEDGER_STATISTICS_OF is the program."""

import os
import random
import shutil
import statistics
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["HEAPLEDGER_STATISTICS_OF"]
ERROR = 0.0100001


def described(values):
    done = subprocess.run([PROGRAM], input="\n".join(map(repr, values)),
                          stdout=subprocess.PIPE, text=True, check=True)
    return {word: float(value) for word, value in
            (line.split() for line in done.stdout.splitlines())}


def series():
    """name -> samples: steady, daily, warming up, in steps, of few values."""
    chance = random.Random(20261122)
    yield "steady", [2e8 + chance.gauss(0, 1e6) for _ in range(288)]
    yield "daily", [3e8 + 1e8 * ((i % 288) / 288) for i in range(2016)]
    yield "warm_up", [5e8 * (1 - 0.99 ** i) for i in range(500)]
    yield "steps", [float(chance.choice([10, 12, 4000])) for _ in range(100)]
    yield "wide", [chance.lognormvariate(12, 5) for _ in range(1000)]
    yield "range", [float(i) for i in range(20)]
    yield "two", [10.0, 20.0]


class StatisticsTest(unittest.TestCase):

    def near(self, ours, theirs, what, slack=0.0):
        self.assertLessEqual(abs(ours - theirs),
                             ERROR * abs(theirs) + slack, what)

    def test_equals_pythons_inclusive_quantiles(self):
        for name, values in series():
            ours = described(values)
            hundredths = statistics.quantiles(values, n=100,
                                              method="inclusive")
            median = statistics.median(values)
            self.near(ours["p95"], hundredths[94], name)
            self.near(ours["p99"], hundredths[98], name)
            self.near(ours["median"], median, name)
            self.assertAlmostEqual(ours["mean"] / statistics.mean(values), 1)
            self.assertAlmostEqual(
                ours["std_dev"] / statistics.stdev(values), 1, 5)
            self.assertEqual(ours["min"], min(values))
            self.assertEqual(ours["max"], max(values))
            mad = statistics.median(abs(v - median) for v in values)
            self.near(ours["mad"], mad, name, 2 * ERROR * median)

    def test_never_beyond_the_greatest_as_the_default_method_is(self):
        values = [float(i) for i in range(20)]
        self.assertGreater(statistics.quantiles(values, n=100)[98], 19)
        self.assertLessEqual(described(values)["p99"], 19)

    def test_one_sample_is_no_error(self):
        ours = described([7.0])
        self.assertEqual(ours["p99"], 7)
        self.assertNotIn("std_dev", ours)
        self.assertEqual(described([]), {})

    @unittest.skipUnless(shutil.which("promtool"), "promtool is missing")
    def test_equals_quantile_over_time(self):
        checks = []
        inputs = []
        for name, values in series():
            ours = described(values)
            inputs.append(f"      - series: '{name}'\n"
                          f"        values: '{' '.join(map(repr, values))}'\n")
            # Promtool's start is its zero; the last sample is at n - 1 minutes.
            for quantile, word in ((0.5, "median"), (0.95, "p95"),
                                   (0.99, "p99")):
                theirs = f"quantile_over_time({quantile}, {name}[3000m])"
                checks.append(
                    f"      - expr: 'abs({theirs} - {ours[word]!r}) <= bool"
                    f" {ERROR} * {theirs}'\n"
                    f"        eval_time: {len(values) - 1}m\n"
                    "        exp_samples:\n"
                    "          - labels: '{}'\n"
                    "            value: 1\n")
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "test.yml")
            with open(path, "w", encoding="utf-8") as file:
                file.write("tests:\n  - interval: 1m\n    input_series:\n" +
                           "".join(inputs) + "    promql_expr_test:\n" +
                           "".join(checks))
            done = subprocess.run(["promtool", "test", "rules", path],
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stdout[-3000:])


if __name__ == "__main__":
    unittest.main()
