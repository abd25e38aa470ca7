# SPDX-License-Identifier: Apache-2.0
"""The dashboard is one that Grafana shows: known panels and units, a layout
without overlaps, expressions that Prometheus parses. And the check notices a
dashboard that is broken."""

import copy
import json
import re
import unittest

import yaml

import monitoring

PANELS = {"timeseries", "stat", "table", "row"}
UNITS = {"percentunit", "s", "none", "bytes", "Bps", "ops", "short"}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# type of each key of a panel
PANEL_KEYS = {"id": int, "type": str, "title": str, "gridPos": dict,
              "description": str, "datasource": dict, "targets": list,
              "fieldConfig": dict, "options": dict, "collapsed": bool,
              "panels": list, "transformations": list}
TARGET_KEYS = {"refId": str, "datasource": dict, "expr": str,
               "legendFormat": str, "instant": bool, "range": bool,
               "format": str}


def faults(dashboard):
    """What Grafana would not take, or show wrong."""
    found = []
    say = found.append
    for key in ("uid", "title", "schemaVersion", "panels", "templating",
                "time"):
        if key not in dashboard:
            say(f"no {key}")
    if "dashboard" in dashboard:
        say("an envelope of the API, no file to provision")
    ids = [panel.get("id") for panel in dashboard.get("panels", [])]
    if len(set(ids)) != len(ids):
        say("an id stands twice")
    cells = set()
    variables = {v["name"] for v in dashboard.get(
        "templating", {}).get("list", [])}
    for panel in dashboard.get("panels", []):
        title = panel.get("title")
        for key, value in panel.items():
            if key not in PANEL_KEYS:
                say(f"{title}: unknown key {key}")
            elif type(value) is not PANEL_KEYS[key]:
                say(f"{title}: {key} is no {PANEL_KEYS[key].__name__}")
        if panel.get("type") not in PANELS:
            say(f"{title}: no panel of the core: {panel.get('type')}")
        place = panel.get("gridPos", {})
        if set(place) != {"x", "y", "w", "h"} or place["x"] + place["w"] > 24:
            say(f"{title}: outside the grid")
        else:
            mine = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                    for y in range(place["y"], place["y"] + place["h"])}
            if mine & cells:
                say(f"{title}: lies over another")
            cells |= mine
        if panel.get("type") == "row":
            continue
        if panel.get("datasource") != SOURCE:
            say(f"{title}: another source")
        defaults = panel.get("fieldConfig", {}).get("defaults", {})
        if defaults.get("unit") not in UNITS:
            say(f"{title}: unknown unit {defaults.get('unit')}")
        steps = defaults.get("thresholds", {}).get("steps", [])
        values = [step["value"] for step in steps]
        if not values or values[0] is not None or (
                values[1:] != sorted(values[1:])):
            say(f"{title}: steps do not ascend")
        refs = [target.get("refId") for target in panel.get("targets", [])]
        if not refs or len(set(refs)) != len(refs):
            say(f"{title}: queries are missing or share a name")
        for target in panel.get("targets", []):
            for key, value in target.items():
                if key not in TARGET_KEYS:
                    say(f"{title}: unknown key {key} of a query")
                elif type(value) is not TARGET_KEYS[key]:
                    say(f"{title}: {key} of a query is of another type")
            for name in re.findall(r"\$(\w+)", target.get("expr", "")):
                if name not in variables:
                    say(f"{title}: no variable {name}")
    return found


def expressions(dashboard):
    """Every expression, with its variables filled in."""
    texts = [target["expr"] for panel in dashboard["panels"]
             for target in panel.get("targets", [])]
    texts += [one["target"]["expr"] for one in dashboard["annotations"]["list"]]
    return [re.sub(r"\$(instance|process)", ".*", text) for text in texts]


class DashboardTest(monitoring.MonitoringTest):

    def dashboard(self):
        files = self.write()
        return json.loads(
            (files / "grafana/dashboards/heapledger-memory.json").read_text())

    def test_grafana_can_show_it(self):
        self.assertEqual(faults(self.dashboard()), [])

    def test_the_check_notices_what_is_broken(self):
        good = self.dashboard()

        def breaks(what, spoil):
            broken = copy.deepcopy(good)
            spoil(broken)
            self.assertTrue(any(what in fault for fault in faults(broken)),
                            (what, faults(broken)))

        panel = lambda d: d["panels"][1]
        breaks("no title", lambda d: d.pop("title"))
        breaks("envelope", lambda d: d.update(dashboard={}))
        breaks("twice", lambda d: panel(d).update(id=d["panels"][2]["id"]))
        breaks("unknown key titl", lambda d: panel(d).update(titl="x"))
        breaks("unknown key alert", lambda d: panel(d).update(alert={}))
        breaks("no str", lambda d: panel(d).update(title=7))
        breaks("no panel of the core",
               lambda d: panel(d).update(type="singlestat"))
        breaks("outside", lambda d: panel(d)["gridPos"].update(x=20))
        breaks("lies over", lambda d: panel(d)["gridPos"].update(
            d["panels"][2]["gridPos"]))
        breaks("another source", lambda d: panel(d).update(datasource={}))
        breaks("unknown unit", lambda d: panel(d)["fieldConfig"]["defaults"]
               .update(unit="percents"))
        breaks("do not ascend", lambda d: panel(d)["fieldConfig"]["defaults"]
               ["thresholds"]["steps"].reverse())
        breaks("share a name", lambda d: panel(d)["targets"].append(
            panel(d)["targets"][0]))
        breaks("no variable", lambda d: panel(d)["targets"][0].update(
            expr="x{a=\"$b\"}"))

    def test_prometheus_parses_every_expression(self):
        rules = {"groups": [{"name": "panels", "rules": [
            {"record": f"panel:{number}", "expr": expr}
            for number, expr in enumerate(expressions(self.dashboard()))]}]}
        path = self.scratch / "panels.yml"
        path.write_text(yaml.safe_dump(rules))
        out = self.succeeds("promtool", "check", "rules", path)
        self.assertIn(f"{len(rules['groups'][0]['rules'])} rules found", out)

    def test_every_panel_says_what_it_shows(self):
        panels = self.dashboard()["panels"]
        titles = [panel["title"] for panel in panels]
        self.assertEqual(len(set(titles)), len(titles))
        for panel in panels:
            if panel["type"] != "row":
                self.assertTrue(panel["description"].endswith("."), panel)

    def test_provisioning_names_the_source_and_the_folder(self):
        files = self.write("--grafana-source", "http://p.example:9090")
        folder = files / "grafana/provisioning"
        sources = self.load(folder / "datasources/heapledger.yaml")
        self.assertEqual(sources["apiVersion"], 1)
        self.assertEqual(sources["datasources"][0]["url"],
                         "http://p.example:9090")
        providers = self.load(folder / "dashboards/heapledger.yaml")
        self.assertEqual(providers["providers"][0]["type"], "file")


if __name__ == "__main__":
    unittest.main()
