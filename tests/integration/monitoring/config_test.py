# SPDX-License-Identifier: Apache-2.0
"""Configurations load, every alert is routed to who should hear of it, the
notifications read well, and nonsense is refused."""

import itertools
import json
import os
import unittest

import monitoring

CRITICAL = "critical-memory-alerts"
MEMORY = "memory-alerts"
DEFAULT = "heapledger-default"
DEAD_MAN = "heapledger-dead-man"


def receivers(alert, severity):
    """Who should hear of an alert of this name and severity."""
    if alert == "HeapledgerWatchdog":
        return [DEAD_MAN] if severity == "none" else [DEFAULT]
    if alert.startswith("Heapledger"):
        return [DEFAULT]
    critical = ("MemoryUsageFatal", "MemoryStallFull", "MemoryOomKill",
                "MemoryExhaustionImminent", "MemoryExhaustionForecast")
    if severity == "critical" and alert in critical:
        return [CRITICAL, MEMORY]
    return [MEMORY]


def routed(out):
    """The receivers that amtool names, behind a warning of some versions."""
    return out.strip().splitlines()[-1].split(",")


class ConfigTest(monitoring.MonitoringTest):

    def test_what_is_written_loads(self):
        files = self.write()
        out = self.succeeds("promtool", "check", "config",
                            files / "prometheus/prometheus.yml")
        self.assertIn("2 rule files found", out)
        out = self.succeeds("amtool", "check-config",
                            files / "alertmanager/alertmanager.yml")
        self.assertIn("1 templates", out)

    def test_scrapes_end_before_they_begin_again_and_are_bounded(self):
        files = self.write("--target", "a:1", "--target", "b:2")
        jobs = self.load(files / "prometheus/prometheus.yml")["scrape_configs"]
        self.assertEqual(
            [(job["job_name"], job["metrics_path"]) for job in jobs],
            [(f"heapledger-{page}", f"/metrics/{page}")
             for page in ("memory", "python", "gc", "callsites")])
        for job in jobs:
            self.assertLess(int(job["scrape_timeout"][:-1]),
                            int(job["scrape_interval"][:-1]))
            self.assertGreater(job["sample_limit"], 2 * 256)
            self.assertEqual(job["static_configs"],
                             [{"targets": ["a:1", "b:2"]}])
            self.assertNotIn("authorization", job)

    def test_secrets_are_read_from_files(self):
        secrets = self.scratch / "secrets"
        secrets.mkdir()
        (secrets / "scrape_token").write_text("t")
        files = self.write("--scrape-token", "--secrets", secrets)
        self.succeeds("promtool", "check", "config",
                      files / "prometheus/prometheus.yml")
        for job in self.load(
                files / "prometheus/prometheus.yml")["scrape_configs"]:
            self.assertEqual(job["authorization"]["credentials_file"],
                             str(secrets / "scrape_token"))
        config = self.load(files / "alertmanager/alertmanager.yml")
        found = {r["name"]: r for r in config["receivers"]}
        webhook = found[MEMORY]["webhook_configs"][0]
        self.assertEqual(webhook["http_config"]["authorization"],
                         {"type": "Bearer",
                          "credentials_file": str(secrets / "webhook_token")})
        self.assertEqual((webhook["max_alerts"], webhook["send_resolved"]),
                         (100, True))
        pager = found[CRITICAL]["pagerduty_configs"][0]
        self.assertEqual(pager["routing_key_file"],
                         str(secrets / "pagerduty_routing_key"))
        self.assertNotIn("service_key", pager)
        for name in (DEFAULT, MEMORY, CRITICAL):
            self.assertEqual(found[name]["slack_configs"][0]["api_url_file"],
                             str(secrets / "slack_api_url"))

    def test_every_alert_of_every_severity_goes_where_it_should(self):
        files = self.write()
        alerts = [a["alert"] for a in monitoring.catalogue()["alerts"]]
        severities = ("none", "low", "medium", "high", "critical")
        for alert, severity in itertools.product(alerts, severities):
            out = self.succeeds(
                "amtool", "config", "routes", "test", "--config.file",
                files / "alertmanager/alertmanager.yml",
                f"alertname={alert}", f"severity={severity}")
            self.assertEqual(routed(out),
                             receivers(alert, severity), (alert, severity))

    def test_alerts_of_others_are_left_to_the_root(self):
        files = self.write()
        out = self.succeeds(
            "amtool", "config", "routes", "test", "--config.file",
            files / "alertmanager/alertmanager.yml",
            "alertname=NodeDiskFull", "severity=critical")
        self.assertEqual(routed(out), [DEFAULT])

    def test_repeats_stand_below_a_multiple_of_the_group_interval(self):
        """At the multiple itself every other message would be left out."""
        files = self.write()
        route = self.load(files / "alertmanager/alertmanager.yml")["route"]
        seconds = {"55s": 55, "1m": 60, "14m45s": 885, "30s": 30}
        checked = 0
        for child in route["routes"]:
            if "repeat_interval" not in child:
                continue
            repeat = seconds[child["repeat_interval"]]
            group = seconds[child["group_interval"]]
            self.assertNotEqual(
                (repeat % group, repeat < group), (0, False), child)
            checked += 1
        self.assertEqual(checked, 2)

    def test_a_worse_alert_silences_the_ones_it_implies(self):
        files = self.write()
        rules = self.load(
            files / "alertmanager/alertmanager.yml")["inhibit_rules"]
        silenced = {}
        for rule in rules:
            names = lambda key: rule[key][0].split('"')[1].split("|")
            for source in names("source_matchers"):
                silenced.setdefault(source, set()).update(
                    names("target_matchers"))
            if source.startswith("Memory"):
                self.assertIn("instance", rule["equal"])
        self.assertEqual(silenced["MemoryUsageFatal"],
                         {"MemoryUsageCritical", "MemoryUsageHigh",
                          "MemoryPressureEarly", "AvailableMemoryLow"})
        self.assertIn("MemoryExhaustionPredicted",
                      silenced["MemoryExhaustionImminent"])
        self.assertIn("HeapledgerDataStale", silenced["HeapledgerDown"])
        for source, targets in silenced.items():
            self.assertNotIn(source, targets)

    def render(self, files, name, data):
        path = self.scratch / "data.json"
        path.write_text(json.dumps(data))
        return self.succeeds(
            "amtool", "template", "render", "--template.glob",
            files / "alertmanager/heapledger.tmpl", "--template.text",
            '{{ template "' + name + '" . }}', "--template.data", path)

    def test_notifications_say_who_what_and_what_to_do(self):
        files = self.write()
        annotations = {"summary": "app is about to run out of memory",
                       "description": "app (pid 7) has used 96%.",
                       "action": "Restart.", "runbook_url": "https://r/M.md"}
        labels = {"alertname": "MemoryUsageFatal", "severity": "critical",
                  "team": "sre"}
        alert = {"status": "firing", "labels": labels,
                 "annotations": annotations}
        data = {"status": "firing", "alerts": [alert],
                "commonLabels": labels, "commonAnnotations": annotations,
                "groupLabels": {}, "receiver": "x", "externalURL": ""}
        self.assertEqual(self.render(files, "heapledger.title", data).strip(),
                         "CRITICAL: app is about to run out of memory")
        self.assertEqual(self.render(files, "heapledger.color", data).strip(),
                         "danger")
        self.assertEqual(
            self.render(files, "heapledger.text", data).strip(),
            "app (pid 7) has used 96%.\nTeam: sre\nAction: Restart.\n"
            "Runbook: https://r/M.md")
        other = dict(alert, annotations=dict(annotations, description="b"))
        two = dict(data, alerts=[alert, other], commonAnnotations={})
        self.assertEqual(self.render(files, "heapledger.title", two).strip(),
                         "CRITICAL: 2 of MemoryUsageFatal")
        self.assertEqual(
            self.render(files, "heapledger.text", two).count("Runbook:"), 2)
        gone = dict(data, status="resolved",
                    alerts=[dict(alert, status="resolved")])
        self.assertEqual(self.render(files, "heapledger.title", gone).strip(),
                         "Resolved: app is about to run out of memory")
        self.assertTrue(self.render(files, "heapledger.text", gone)
                        .startswith("Resolved: app"))
        self.assertEqual(self.render(files, "heapledger.color", gone).strip(),
                         "good")

    def test_a_dead_man_has_somebody_to_listen_if_one_is_named(self):
        for options, listens in (((), False),
                                 (("--dead-man", "https://d.example/x"), True)):
            files = self.write(*options, into=f"out{listens}")
            self.succeeds("amtool", "check-config",
                          files / "alertmanager/alertmanager.yml")
            config = self.load(files / "alertmanager/alertmanager.yml")
            receiver = {r["name"]: r for r in config["receivers"]}[DEAD_MAN]
            self.assertEqual("webhook_configs" in receiver, listens)

    def test_nothing_is_overwritten_without_force(self):
        files = self.write()
        readme = files / "README.md"
        readme.write_text("mine")
        (files / "prometheus/prometheus.yml").unlink()
        status, out = monitoring.run(monitoring.CLI, "rules", "-o", files)
        self.assertEqual(status, 1)
        self.assertIn("README.md is there already", out)
        self.assertIn("--force", out)
        self.assertFalse((files / "prometheus/prometheus.yml").exists())
        self.assertEqual(readme.read_text(), "mine")
        self.succeeds(monitoring.CLI, "rules", "-o", files, "--force")
        self.assertIn("heapledger", readme.read_text())

    def test_other_programs_can_read_the_files(self):
        files = self.write()
        for path in files.rglob("*"):
            if path.is_file():
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o644, path)

    def test_nonsense_is_refused_in_one_sentence(self):
        for options, why in (
                (["--threshold", "usage_high"], "NAME=VALUE"),
                (["--threshold", "nothing=1"], "there is no threshold"),
                (["--threshold", "usage_high=much"], "0.8 or 80%"),
                (["--threshold", "leak_bytes=1 potato"], "64MiB"),
                (["--threshold", "data_stale=soon"], "45m"),
                (["--threshold", "swap_in=many"], "a number"),
                (["--threshold", "usage_high=120%"], "below 1"),
                (["--threshold", "usage_early=85%"], "above usage_early"),
                (["--limit", "app"], "PROGRAM=SIZE"),
                (["--limit", "app=0"], "above 0"),
                (["--team", "ops=x"], "infrastructure or development"),
                (["--runbook-base", "wiki"], "file URL"),
                (["--job-prefix", "a.b"], "letters, digits"),
                (["--target", "host"], "HOST:PORT"),
                (["--secrets", "here"], "absolute path")):
            directory = self.scratch / "refused"
            status, out = monitoring.run(monitoring.CLI, "rules", "-o",
                                         directory, *options)
            self.assertEqual(status, 2, (options, out))
            self.assertIn(why, out)
            self.assertEqual(out.count("\n"), 1, out)
            self.assertFalse(directory.exists())

    def test_the_catalogue_is_what_is_written(self):
        files = self.write()
        catalogue = monitoring.catalogue()
        for path, key, name in (
                (monitoring.RECORDING, "recording_rules", "record"),
                (monitoring.ALERTS, "alerts", "alert")):
            written = [(rule[name], rule["expr"])
                       for group in self.load(files / path)["groups"]
                       for rule in group["rules"]]
            self.assertEqual(sorted(written), sorted(
                (rule[name], rule["expr"]) for rule in catalogue[key]))
        names = {metric["name"] for metric in catalogue["metrics"]}
        self.assertIn("heapledger_leak_suspect_bytes", names)
        self.assertEqual(len(names), len(catalogue["metrics"]))

    def test_runbooks_are_where_the_alerts_say_by_default(self):
        directory = self.scratch / "here"
        self.succeeds(monitoring.CLI, "rules", "-q", "-o", directory)
        for group in self.load(directory / monitoring.ALERTS)["groups"]:
            for rule in group["rules"]:
                url = rule["annotations"]["runbook_url"]
                self.assertTrue(url.startswith("file:///"), url)
                self.assertTrue(os.path.exists(url[len("file://"):]), url)


if __name__ == "__main__":
    unittest.main()
