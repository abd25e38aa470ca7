# SPDX-License-Identifier: Apache-2.0
"""Every rule against promtool's own evaluation, with a file of cases for each;
and what the rules must have in common."""

import re
import shutil
import unittest

import monitoring


class RulesTest(monitoring.MonitoringTest):

    def rules(self, path):
        return [rule for group in self.load(path)["groups"]
                for rule in group["rules"]]

    def test_every_rule_has_a_file_of_cases_and_keeps_to_it(self):
        files = self.write()
        names = set()
        for rules in (monitoring.RECORDING, monitoring.ALERTS):
            shutil.copy(files / rules, self.scratch)
            names |= {rule.get("alert") or rule["record"]
                      for rule in self.rules(files / rules)}
        cases = {monitoring.record_file(name) for name in names}
        self.assertEqual({path.name for path in cases},
                         {path.name
                          for path in monitoring.RULE_TESTS.iterdir()})
        for path in cases:
            shutil.copy(path, self.scratch)
        self.succeeds("promtool", "test", "rules",
                      *sorted(path.name for path in cases), cwd=self.scratch)

    def test_the_cases_of_an_alert_fire_it_word_by_word_and_silence_it(self):
        for alert in monitoring.catalogue()["alerts"]:
            cases = self.load(monitoring.record_file(alert["alert"]))["tests"]
            expected = [case["exp_alerts"] for test in cases
                        for case in test["alert_rule_test"]]
            fired = [one for some in expected for one in some]
            self.assertTrue(fired, alert["alert"])
            for one in fired:
                self.assertEqual(
                    set(one["exp_annotations"]),
                    {"summary", "description", "action", "runbook_url"})
            if alert["alert"] != "HeapledgerWatchdog":
                self.assertIn([], expected, alert["alert"])

    def test_every_alert_says_who_acts_and_how(self):
        files = self.write()
        for rule in self.rules(files / monitoring.ALERTS):
            self.assertEqual(set(rule["labels"]), {"severity", "team"}, rule)
            self.assertIn(rule["labels"]["severity"],
                          ("none", "low", "medium", "high", "critical"))
            self.assertEqual(set(rule["annotations"]),
                             {"summary", "description", "action",
                              "runbook_url"})
            name = rule["alert"]
            self.assertEqual(rule["annotations"]["runbook_url"],
                             f"{monitoring.RUNBOOKS}/{name}.md")
            book = (files / "runbooks" / f"{name}.md").read_text()
            self.assertTrue(book.startswith(f"# {name}\n"), book)
            self.assertIn(rule["expr"], book)

    def test_values_are_written_for_people(self):
        """A value is never printed bare, with all the digits it has."""
        files = self.write()
        for rule in self.rules(files / monitoring.ALERTS):
            for text in rule["annotations"].values():
                for use in re.findall(r"{{[^}]*\$value[^}]*}}", text):
                    self.assertIn("|", use, rule["alert"])

    def test_runbooks_name_verbs_that_there_are(self):
        files = self.write()
        status, usage = monitoring.run(monitoring.CLI, "--help")
        self.assertEqual(status, 0)
        verbs = set(re.findall(r"^  (\w+) ", usage, re.M))
        for book in (files / "runbooks").iterdir():
            for verb in re.findall(r"`heapledger (\w+)", book.read_text()):
                self.assertIn(verb, verbs, book.name)

    def test_a_limit_of_the_users_bites(self):
        files = self.write("--limit", "app=1000")
        shutil.copy(files / monitoring.RECORDING, self.scratch)
        (self.scratch / "limit.yml").write_text(LIMIT_CASES)
        self.succeeds("promtool", "test", "rules", "limit.yml",
                      cwd=self.scratch)

    def test_thresholds_teams_and_jobs_are_the_users(self):
        files = self.write("--threshold", "usage_high=85%", "--threshold",
                           "leak_bytes=16MiB", "--threshold",
                           "exhaustion_imminent=30m", "--team", "sre",
                           "--team", "development=app", "--job-prefix", "mem")
        self.succeeds("promtool", "check", "config",
                      files / "prometheus/prometheus.yml")
        rules = {rule["alert"]: rule
                 for rule in self.rules(files / monitoring.ALERTS)}
        self.assertEqual(rules["MemoryUsageHigh"]["expr"],
                         "memory:usage_ratio > 0.85")
        self.assertIn("> 16777216", rules["MemoryLeakSuspect"]["expr"])
        self.assertIn("< 1800\n", rules["MemoryExhaustionImminent"]["expr"])
        self.assertEqual(rules["MemoryLeakSuspect"]["labels"]["team"], "app")
        self.assertEqual(rules["MemoryUsageHigh"]["labels"]["team"], "sre")
        self.assertIn('up{job="mem-memory"}', rules["HeapledgerDown"]["expr"])
        jobs = self.load(files / "prometheus/prometheus.yml")["scrape_configs"]
        self.assertEqual([job["job_name"] for job in jobs],
                         ["mem-memory", "mem-python", "mem-gc",
                          "mem-callsites"])


LIMIT_CASES = """
rule_files: [heapledger-recording.yml]
group_eval_order: [heapledger-own-limits, heapledger-recording]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: process_memory_rss_bytes{instance="h",process="app",pid="7"}
        values: 600x9
      - series: process_memory_rss_bytes{instance="h",process="other",pid="8"}
        values: 600x9
      - series: heapledger_memory_limit_bytes{instance="h",process="app",pid="7"}
        values: 9000x9
      - series: heapledger_memory_limit_bytes{instance="h",process="other",pid="8"}
        values: 9000x9
      - series: heapledger_memory_headroom_bytes{instance="h",process="app",pid="7"}
        values: 500x9
      - series: heapledger_memory_headroom_bytes{instance="h",process="other",pid="8"}
        values: 900x9
    promql_expr_test:
      - eval_time: 5m
        expr: memory:limit_bytes
        exp_samples:
          - labels: memory:limit_bytes{instance="h",process="app",pid="7"}
            value: 1000
          - labels: memory:limit_bytes{instance="h",process="other",pid="8"}
            value: 9000
      - eval_time: 5m
        expr: memory:headroom_bytes
        exp_samples:
          - labels: memory:headroom_bytes{instance="h",process="app",pid="7"}
            value: 400
          - labels: memory:headroom_bytes{instance="h",process="other",pid="8"}
            value: 900
"""


if __name__ == "__main__":
    unittest.main()
