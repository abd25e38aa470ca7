# SPDX-License-Identifier: Apache-2.0
"""The whole chain: a program that leaks, `heapledger collect`, Prometheus and
Alertmanager of the distribution on the files that `heapledger rules` writes,
and a recorder in the place of Slack, PagerDuty and the webhook.

All durations of the files are 60 times shorter here, so that minutes become
seconds; the sampler of the collector keeps its own time, and names a leak after
some minutes."""

import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import harness

FASTER = 60
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# What this host, or a program without Python, need not have: no expression may
# ask for anything else in vain.
MAY_BE_MISSING = re.compile(
    "python_.*|heapledger_memory_pressure_.*|heapledger_cgroup_.*|"
    "heapledger_log_.*|heapledger_response_.*|heapledger_baseline_.*")


def shorter(duration):
    parts = re.findall(r"(\d+)([smhd])", duration)
    seconds = sum(int(n) * SECONDS[unit] for n, unit in parts)
    return f"{max(1, round(seconds / FASTER))}s" if seconds else "0s"


def hasten(text):
    """The rules and configurations with all durations shortened."""
    # A slope takes three samples, and there is one a second.
    text = re.sub(r"\[(\d+[smhd])\]", lambda m: "[" + max(
        shorter(m.group(1)), "3s", key=lambda d: int(d[:-1])) + "]", text)
    text = re.sub(r"offset (\w+)",
                  lambda m: "offset " + shorter(m.group(1)), text)
    return re.sub(
        r"^(\s*(?:for|keep_firing_for|\w*interval|scrape_timeout|group_wait):"
        r" )(\w+)$", lambda m: m.group(1) + shorter(m.group(2)), text,
        flags=re.M)


class Recorder(http.server.ThreadingHTTPServer):
    """Keeps what it is sent: (path, headers, body), oldest first."""

    daemon_threads = True

    def __init__(self):
        self.messages = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def bodies(self, path):
        return [body for where, _, body in list(self.messages)
                if where == path]


class Handler(http.server.BaseHTTPRequestHandler):

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.messages.append(
            (self.path, dict(self.headers), json.loads(body)))
        self.send_response(202)
        self.end_headers()
        self.wfile.write(b'{"status":"success"}')

    def log_message(self, *arguments):
        pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class AlertingTest(harness.ShimTest):
    mode = "exact"

    def setUp(self):
        super().setUp()
        for tool in ("prometheus", "prometheus-alertmanager"):
            if shutil.which(tool) is None:
                self.skipTest(f"{tool} is not installed")
        self.files = pathlib.Path(self.scratch) / "monitoring"
        self.recorder = Recorder()
        self.addCleanup(self.recorder.server_close)
        self.addCleanup(self.recorder.shutdown)

    def serve(self, name, *command):
        """Starts a server whose log is shown if it ends early."""
        log = open(os.path.join(self.scratch, name + ".log"), "wb")
        self.addCleanup(log.close)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log,
                                   env=self.environment(False))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def until(self, what, condition, seconds):
        deadline = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > deadline:
                logs = [path.name + ":\n" + path.read_text()[-1500:] for path
                        in pathlib.Path(self.scratch).glob("*.log")]
                self.fail(f"no {what} within {seconds} s\n" + "\n".join(logs))
            time.sleep(0.3)

    def write_files(self, target, alertmanager):
        secrets = os.path.join(self.scratch, "secrets")
        os.mkdir(secrets)
        for name, text in (("slack_api_url", self.recorder.base + "/slack"),
                           ("webhook_token", "only-for-us"),
                           ("pagerduty_routing_key", "0" * 32)):
            with open(os.path.join(secrets, name), "w") as file:
                file.write(text)
        done = subprocess.run(
            [harness.CLI, "rules", "-q", "-o", self.files, "--secrets",
             secrets, "--target", target, "--alertmanager", alertmanager,
             "--webhook", self.recorder.base + "/webhook", "--dead-man",
             self.recorder.base + "/dead-man", "--runbook-base",
             "https://runbooks.example.org", "--threshold", "leak_bytes=64KiB",
             # Less than any process takes: at its end from the start.
             "--limit", "calm_batch=64KiB"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        for path in self.files.rglob("*.yml"):
            path.write_text(hasten(path.read_text()))
        config = self.files / "alertmanager/alertmanager.yml"
        config.write_text(f"global:\n  pagerduty_url: {self.recorder.base}"
                          "/pagerduty\n" + config.read_text().replace(
                              "group_wait: 1s", "group_wait: 3s"))

    def start_chain(self):
        self.target = self.collect("--top", "5")
        alertmanager = f"127.0.0.1:{free_port()}"
        prometheus = f"127.0.0.1:{free_port()}"
        self.write_files(self.target.removeprefix("http://"), alertmanager)
        self.serve("alertmanager", "prometheus-alertmanager",
                   f"--config.file={self.files}/alertmanager/alertmanager.yml",
                   f"--storage.path={self.scratch}/alertmanager",
                   f"--web.listen-address={alertmanager}",
                   "--cluster.listen-address=")
        self.serve("prometheus", "prometheus",
                   f"--config.file={self.files}/prometheus/prometheus.yml",
                   f"--storage.tsdb.path={self.scratch}/prometheus",
                   f"--web.listen-address={prometheus}",
                   # Also what was sent before Alertmanager listened.
                   "--rules.alert.resend-delay=2s")
        self.prometheus = f"http://{prometheus}"

    def query(self, expr):
        """The rows of an instant query; None while nobody answers."""
        url = self.prometheus + "/api/v1/query?" + urllib.parse.urlencode(
            {"query": expr})
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            self.fail(f"{expr}: {error.read().decode()}")
        except OSError:
            return None

    def program(self, name):
        process = self.start([harness.program(name), "1200", "10"])
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"started\n")
        return process

    def alerts(self, name, status):
        """Alerts of this name that the webhook was told of."""
        return [alert for body in self.recorder.bodies("/webhook")
                for alert in body["alerts"]
                if alert["labels"]["alertname"] == name
                and alert["status"] == status]

    def check_dashboard(self):
        """Every expression of the dashboard has rows, sooner or later, that
        reads only what is served."""
        catalogue = json.loads(subprocess.run(
            [harness.CLI, "rules", "--json"], stdout=subprocess.PIPE,
            check=True, timeout=60).stdout)
        metrics = {metric["name"] for metric in catalogue["metrics"]}
        records = {}
        for rule in catalogue["recording_rules"]:
            records.setdefault(rule["record"], []).append(rule["expr"])

        def read(expr):
            words = set(re.findall(r"[\w:]+", expr))
            found = words & metrics
            for record in words & set(records):
                # Of two rules of one name either will do.
                found |= min((read(text) for text in records[record]),
                             key=lambda names: len(names - served))
            return found

        with urllib.request.urlopen(self.target + "/metrics") as answer:
            served = set(re.findall(r"^(\w+)(?=[{ ])",
                                    answer.read().decode(), re.M))
        dashboard = json.loads(
            (self.files / "grafana/dashboards/heapledger-memory.json")
            .read_text())
        waiting = {}
        left_out = set()
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                expr = re.sub(r"\$(instance|process)", ".*", target["expr"])
                missing = read(expr) - served
                if missing:
                    left_out |= missing
                    continue
                waiting[expr] = panel["title"]
        self.assertEqual({name for name in left_out
                          if not MAY_BE_MISSING.fullmatch(name)}, set())
        self.assertGreater(len(waiting), 15)
        total = len(waiting)

        def all_seen():
            for expr in list(waiting):
                if self.query(hasten(expr)):
                    del waiting[expr]
            return not waiting

        try:
            self.until("rows", all_seen, 60)
        finally:
            print(f"{total - len(waiting)} of {total} expressions have rows; "
                  f"not served here: {sorted(left_out)}; without rows: "
                  f"{waiting}")

    def check_page(self):
        """A process at its limit wakes somebody up, once."""
        self.until("page", lambda: self.recorder.bodies("/pagerduty"), 60)
        page = self.recorder.bodies("/pagerduty")[0]
        self.assertEqual(page["routing_key"], "0" * 32)
        self.assertEqual(page["payload"]["severity"], "critical")
        self.assertEqual(page["payload"]["summary"],
                         "CRITICAL: calm_batch is about to run out of memory")
        self.until("message", lambda: self.alerts("MemoryUsageFatal",
                                                  "firing"), 30)
        slack = [body for body in self.recorder.bodies("/slack")
                 if body["channel"] == "#critical-alerts"]
        self.assertIn("Runbook: https://runbooks.example.org/"
                      "MemoryUsageFatal.md", slack[0]["attachments"][0]["text"])
        self.until("dead man's message",
                   lambda: self.recorder.bodies("/dead-man"), 30)

    def check_leak(self, leaker):
        self.until("leak", lambda: self.alerts("MemoryLeakSuspect", "firing"),
                   540)
        alert = self.alerts("MemoryLeakSuspect", "firing")[0]
        labels = alert["labels"]
        self.assertEqual((labels["process"], labels["pid"]),
                         ("leak_connection", str(leaker.pid)))
        self.assertIn("NewInputBuffer", labels["function"])
        self.assertEqual(labels["module"], "leak_connection")
        self.assertRegex(labels["callsite"], "^[0-9a-f]+$")
        description = alert["annotations"]["description"]
        self.assertIn("NewInputBuffer", description)
        self.assertRegex(description, r"leak_connection\.cc:\d+\)")
        text = "\n".join(
            body["attachments"][0]["text"]
            for body in self.recorder.bodies("/slack"))
        self.assertRegex(text, r"seems to leak [\d.]+\w*B at .*NewInputBuffer")
        self.assertRegex(text, r"leak_connection\.cc:\d+")

    def test_from_a_leak_to_a_message_that_names_it_and_back(self):
        leaker = self.program("leak_connection")
        batch = self.program("calm_batch")
        self.start_chain()
        self.check_page()
        self.check_leak(leaker)
        # Now there are slopes and suspects, too.
        self.check_dashboard()
        # Whoever knows the worse need not hear the better.
        for name in ("MemoryUsageCritical", "MemoryUsageHigh",
                     "MemoryPressureEarly"):
            self.assertEqual(self.alerts(name, "firing"), [], name)
        for message in self.recorder.messages:
            if message[0] == "/webhook":
                self.assertEqual(message[1]["Authorization"],
                                 "Bearer only-for-us")
        leaker.kill()
        self.until("all-clear",
                   lambda: self.alerts("MemoryLeakSuspect", "resolved"), 90)
        self.assertTrue(any(
            "Resolved: leak_connection" in body["attachments"][0]["title"]
            for body in self.recorder.bodies("/slack")))
        self.assertIsNone(batch.poll())


if __name__ == "__main__":
    unittest.main()
