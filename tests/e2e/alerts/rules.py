# SPDX-License-Identifier: Apache-2.0
"""Rule files, read by Prometheus itself, and run over a store of the past."""

import json
import os
import re
import tempfile

from prometheus import STEP, Server, promtool

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class Alert:

    def __init__(self, name, expression, wait, keep, severity):
        self.name = name
        self.expression = expression
        self.wait = wait  # `for`, in seconds
        self.keep = keep  # `keep_firing_for`
        self.severity = severity


class Rules:
    """`records`: [(name, expression, labels)] in levels, each of which needs
    only those before it. `alerts`: those that the metrics at hand suffice for.
    `left_out`: alert -> what it needs besides."""

    def __init__(self, files, metrics):
        with tempfile.TemporaryDirectory() as folder:
            with Server(folder, os.path.join(folder, "data"), files) as server:
                groups = server.get("/api/v1/rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        if not rules:
            raise RuntimeError(f"no rules in {', '.join(files)}")
        recorded = [r for r in rules if r["type"] == "recording"]
        alerts = [r for r in rules if r["type"] == "alerting"]
        self.levels = self._levels(recorded, set(metrics))
        known = set(metrics) | {name for level in self.levels
                                for name, _, _ in level}
        names = {r["name"] for r in recorded}
        self.alerts, self.left_out = [], {}
        for rule in alerts:
            wanted = self._series(rule["query"], names)
            if wanted <= known:
                self.alerts.append(Alert(
                    rule["name"], rule["query"], rule["duration"],
                    rule.get("keepFiringFor", 0),
                    rule["labels"].get("severity", "")))
            else:
                self.left_out[rule["name"]] = sorted(wanted - known)

    @staticmethod
    def _series(expression, recorded):
        """The names in an expression that can only be series."""
        bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', " ", expression)
        return {name for name in NAME.findall(bare)
                if name in recorded or ":" in name or
                name.startswith(("heapledger_", "process_", "memory_",
                                 "python_"))}

    def _levels(self, recorded, known):
        """What can be computed from `known`, in the order of need."""
        names = {r["name"] for r in recorded}
        levels, left = [], list(recorded)
        while left:
            level = [r for r in left
                     if self._series(r["query"], names) <= known]
            if not level:
                return levels
            levels.append([(r["name"], r["query"], r.get("labels", {}))
                           for r in level])
            left = [r for r in left if r not in level]
            known = known | {r["name"] for r in level}
        return levels

    def record(self, store, length):
        """Adds what the recording rules give to the store, level by level."""
        for number, level in enumerate(self.levels):
            path = os.path.join(store.folder, f"level-{number}.json")
            with open(path, "w") as file:  # JSON is YAML
                json.dump({"groups": [{
                    "name": "level", "interval": f"{STEP}s", "rules": [
                        {"record": name, "expr": expression, "labels": labels}
                        for name, expression, labels in level]}]}, file)
            with Server(store.folder, store.data) as server:
                promtool("tsdb", "create-blocks-from", "rules",
                         f"--start={store.begin}",
                         f"--end={store.begin + length}",
                         f"--eval-interval={STEP}s",
                         f"--output-dir={store.data}", f"--url={server.url}",
                         path)

    def fire(self, store, length):
        """alert -> pid -> the seconds at which it fires."""
        with Server(store.folder, store.data) as server:
            return {alert.name: {
                pid: firing(seconds, alert.wait, alert.keep)
                for pid, seconds in server.moments(
                    alert.expression, store.begin, length).items()}
                for alert in self.alerts}


def firing(moments, wait, keep):
    """The seconds, STEP apart, at which an alert fires whose expression is true
    at `moments`, in their order: once it was true all through `wait`, and for
    `keep` after it was last true. In between it need not wait again."""
    fires = []
    since = last = None
    until = -1
    for second in moments:
        fires.extend(range(last + STEP, min(second, until + 1), STEP)
                     if last is not None else ())
        # What fires goes on doing so.
        if last is None or second - last > STEP:
            since = second - wait if second <= until else second
        last = second
        if second - since >= wait:
            fires.append(second)
            until = second + keep
    if last is not None:
        fires.extend(range(last + STEP, int(until) + 1, STEP))
    return fires
