# SPDX-License-Identifier: Apache-2.0
"""What every format says of a heap: the same, to the byte, whoever reads it."""

import json
import re
import shutil
import subprocess
import unittest
import xml.etree.ElementTree

import jsonschema

import harness
import pprof_file
from written import VALUES, WrittenTest

GO = shutil.which("go")

# The facts of https://www.speedscope.app/file-format-schema.json for sampled
# profiles.
SPEEDSCOPE = {
    "type": "object",
    "required": ["$schema", "profiles", "shared"],
    "additionalProperties": False,
    "properties": {
        "$schema": {
            "const": "https://www.speedscope.app/file-format-schema.json"},
        "activeProfileIndex": {"type": "number"},
        "exporter": {"type": "string"},
        "name": {"type": "string"},
        "shared": {
            "type": "object", "required": ["frames"],
            "properties": {"frames": {"type": "array", "items": {
                "type": "object", "required": ["name"],
                "additionalProperties": False,
                "properties": {"name": {"type": "string"},
                               "file": {"type": "string"},
                               "line": {"type": "number"},
                               "col": {"type": "number"}}}}}},
        "profiles": {"type": "array", "items": {
            "type": "object",
            "required": ["type", "name", "unit", "startValue", "endValue",
                         "samples", "weights"],
            "additionalProperties": False,
            "properties": {
                "type": {"const": "sampled"},
                "name": {"type": "string"},
                "unit": {"enum": ["none", "nanoseconds", "microseconds",
                                  "milliseconds", "seconds", "bytes"]},
                "startValue": {"type": "number"},
                "endValue": {"type": "number"},
                "samples": {"type": "array", "items": {
                    "type": "array", "items": {"type": "number"}}},
                "weights": {"type": "array",
                            "items": {"type": "number"}}}}},
    },
}


class FilesTest(WrittenTest):

    # One checker per format; `written` says what must come out.

    def check_pprof(self, stem, written):
        profile = pprof_file.Pprof(self.path(stem, "pb.gz"))
        self.assertEqual(profile.sample_types, [
            ("alloc_objects", "count"), ("alloc_space", "bytes"),
            ("inuse_objects", "count"), ("inuse_space", "bytes")])
        self.assertEqual(profile.default_sample_type, "inuse_space")
        self.assertEqual(profile.period_type, ("space", "bytes"))
        self.assertGreaterEqual(profile.period, 1)
        self.assertEqual(profile.totals(), written["totals"])
        for sample in profile.samples:
            self.assertRegex(sample["labels"]["callsite"], "^[0-9a-f]{16}$")
            self.assertTrue(sample["locations"])
            for location in sample["locations"]:
                self.assertIn(location, profile.locations)
        for location in profile.locations.values():
            self.assertTrue(location["lines"])
            if location["mapping"]:
                self.assertIn(location["mapping"], profile.mappings)
        return profile

    def check_folded(self, stem, written):
        sums = [0, 0]
        for line in self.text(stem, "folded").split("\n")[:-1]:
            numbers = 2 if stem == "diff" else 1
            parts = line.rsplit(" ", numbers)
            self.assertEqual(len(parts), 1 + numbers, line[:200])
            self.assertTrue(all(parts[0].split(";")), line[:200])
            sums[0] += int(parts[1]) if numbers == 2 else 0
            sums[1] += int(parts[-1])
        self.assertEqual(sums[1] - sums[0], written["totals"]["live_bytes"])

    def check_speedscope(self, stem, written):
        data = json.loads(self.text(stem, "speedscope.json"))
        jsonschema.validate(data, SPEEDSCOPE)
        frames = len(data["shared"]["frames"])
        sums = dict.fromkeys(VALUES, 0)
        per_value = 2 if stem == "diff" else 1
        self.assertEqual(len(data["profiles"]), 4 * per_value)
        for i, profile in enumerate(data["profiles"]):
            self.assertEqual(len(profile["samples"]), len(profile["weights"]))
            self.assertGreaterEqual(min(profile["weights"], default=0), 0)
            self.assertEqual(sum(profile["weights"]), profile["endValue"])
            for sample in profile["samples"]:
                self.assertTrue(sample)
                self.assertLess(max(sample), frames)
            shrank = per_value == 2 and i % 2 == 1
            value = VALUES[i // per_value]
            sums[value] += -profile["endValue"] if shrank else \
                profile["endValue"]
        self.assertEqual(sums, written["totals"])

    def check_json(self, stem, written):
        data = json.loads(self.text(stem, "json"))
        self.assertEqual(data["heapledger_profile"], 1)
        self.assertEqual(data["totals"], written["totals"])
        self.assertEqual(data["difference"], stem == "diff")
        for value in VALUES:
            self.assertEqual(
                sum(site["values"][value] for site in data["callsites"]) +
                data["other"]["values"][value], data["totals"][value])
            if stem == "diff":
                self.assertEqual(
                    sum(site["before"][value] for site in data["callsites"]),
                    written["before"][value])
        for site in data["callsites"]:
            for frame in site["stack"]:
                self.assertIn("function", data["frames"][frame])
        for frame in data["frames"]:
            self.assertLess(frame["module"], len(data["modules"]))

    def check_text(self, stem, written):
        """Each line is what the lines indented below it add up to."""
        text = self.text(stem, "txt")
        lines = text[text.index("\n\n") + 2:].split("\n")[1:-1]
        columns = 3 if stem == "diff" else 1
        parsed = []
        for line in lines:
            match = re.match(
                r"((?: *[-+]?[\d,]+  ){%d}) *[\d.]+%%  ( *)(↳ )?" % columns,
                line)
            self.assertTrue(match, line)
            numbers = [int(n.replace(",", ""))
                       for n in match.group(1).split()]
            parsed.append((len(match.group(2)), bool(match.group(3)),
                           numbers[-1]))
        self.assertEqual(parsed[0][2], written["totals"]["live_bytes"])
        for i, (indent, _, value) in enumerate(parsed[:-1]):
            next_indent, is_chain, next_value = parsed[i + 1]
            if is_chain:
                self.assertEqual((next_indent, next_value), (indent, value))
            elif next_indent > indent:
                children = []
                for deeper, is_chain, child in parsed[i + 1:]:
                    if deeper <= indent:
                        break
                    if deeper == next_indent and not is_chain:
                        children.append(child)
                self.assertEqual(sum(children), value, lines[i])

    def check_svg(self, stem, written):
        root = xml.etree.ElementTree.fromstring(self.text(stem, "svg"))
        namespace = "{http://www.w3.org/2000/svg}"
        self.assertEqual(root.tag, namespace + "svg")
        self.assertEqual(list(root.iter(namespace + "script")), [])
        titles = [g.find(namespace + "title").text
                  for g in root.iter(namespace + "g")]
        change = written["totals"]["live_bytes"]
        figure = f"({change:+,})".replace("+0", "0") if stem == "diff" else f"{change:,} bytes"
        self.assertIn(figure, titles[0])
        width = float(root.get("width"))
        for rect in root.iter(namespace + "rect"):
            if rect.get("x"):
                right = float(rect.get("x")) + float(rect.get("width"))
                self.assertLessEqual(right, width)

    def check_all(self, stem, written):
        self.check_pprof(stem, written)
        self.check_folded(stem, written)
        self.check_speedscope(stem, written)
        self.check_json(stem, written)
        self.check_text(stem, written)
        self.check_svg(stem, written)

    def test_every_format_adds_up_to_the_totals(self):
        for callsites, depth in ((0, 1), (1, 1), (40, 3), (2000, 25)):
            with self.subTest(callsites=callsites, depth=depth):
                written = self.write("random", callsites, depth)
                for stem in ("heap", "diff"):
                    self.check_all(stem, written[stem])

    def test_hostile_names_break_no_format(self):
        written = self.write("hostile")
        for stem in ("heap", "diff"):
            self.check_all(stem, written[stem])
            self.assertNotIn("<script>document", self.text(stem, "svg"))
            html = self.text(stem, "html")
            self.assertNotIn("<script>document", html)
            self.assertNotIn("</title><script", html)

    def test_a_real_program_to_the_byte(self):
        self.run_command([harness.program("known_cxx")])
        ledger = self.ledger_files()[0]
        report = self.report(ledger)
        written = self.write("ledger", ledger)["heap"]
        for value in VALUES:
            self.assertEqual(written["totals"][value],
                             report["totals"][value], value)
        self.assertGreater(written["totals"]["live_bytes"], 0)
        self.check_all("heap", written)
        profile = pprof_file.Pprof(self.path("heap", "pb.gz"))
        self.assertEqual({s["labels"]["callsite"] for s in profile.samples},
                         {s["callsite"] for s in report["callsites"]
                          if s["allocations"]})
        program = next(m for m in profile.mappings.values()
                       if m["file"].endswith("/known_cxx"))
        self.assertRegex(program["build_id"], "^[0-9a-f]{40}$")
        self.assertEqual(program["has"][0], 1)
        for location in profile.locations.values():
            if location["mapping"]:
                mapping = profile.mappings[location["mapping"]]
                self.assertLessEqual(mapping["start"], location["address"])
                self.assertLess(location["address"], mapping["limit"])
        # Innermost first, of what is inlined too. A row of the report shows
        # one of its stacks, so not all are there.
        report_stacks = [[frame["function"] for frame in site["stack"]]
                         for site in report["callsites"]]

        def reported(names):
            return any(stack[i:i + len(names)] == names
                       for stack in report_stacks for i in range(len(stack)))

        inlined = [[name for name, _ in location["lines"]]
                   for location in profile.locations.values()
                   if len(location["lines"]) > 1]
        self.assertTrue(any(reported(names) for names in inlined))
        self.assertFalse(any(reported(names[::-1]) for names in inlined
                             if names != names[::-1]))

    def test_a_sampled_program_says_that_it_is_estimated(self):
        self.run_command([harness.program("sampled_mix")],
                         env={"HEAPLEDGER_MODE": "sampled",
                              "HEAPLEDGER_SAMPLE_BYTES": "1000"})
        ledger = self.ledger_files()[0]
        report = self.report(ledger)
        written = self.write("ledger", ledger)["heap"]
        self.check_all("heap", written)
        for value in VALUES:
            self.assertEqual(written["totals"][value],
                             report["totals"][value], value)
        profile = pprof_file.Pprof(self.path("heap", "pb.gz"))
        self.assertEqual(profile.period, 1000)
        self.assertTrue(any(comment.startswith("estimated: one sample per 1000")
                            for comment in profile.comments), profile.comments)
        self.assertIn("(estimated)", self.text("heap", "txt"))
        data = json.loads(self.text("heap", "json"))
        self.assertTrue(data["facts"]["estimated"])
        self.assertEqual(data["facts"]["sample_bytes"], 1000)

    def test_folded_stacks_are_those_of_the_report(self):
        self.run_command([harness.program("known_c")])
        ledger = self.ledger_files()[0]
        self.write("ledger", ledger)
        done = subprocess.run(
            [harness.CLI, "report", ledger, "--format", "folded", "--dir",
             self.ledgers],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
            env=self.environment(False))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.text("heap", "folded"), done.stdout.decode())

    @unittest.skipUnless(GO, "go is not installed: apt-get install golang-go")
    def test_go_tool_pprof_reads_the_same(self):
        written = self.write("random", 300, 10)
        totals = written["heap"]["totals"]
        for index, value in (("inuse_space", "live_bytes"),
                             ("alloc_space", "allocated_bytes"),
                             ("inuse_objects", "live_objects"),
                             ("alloc_objects", "allocations")):
            top = self.pprof("-top", "-unit=B" if "space" in index else
                             "-unit=count", f"-sample_index={index}",
                             self.path("heap", "pb.gz"))
            self.assertRegex(
                top, rf"of {totals[value]}B? total", value)
        raw = self.pprof("-raw", self.path("heap", "pb.gz"))
        self.assertIn("inuse_space/bytes[dflt]", raw)
        self.assertIn("PeriodType: space bytes", raw)
        self.assertIn("mode: exact, full stacks", raw)
        self.assertIn("callsite:[", raw)
        # The difference that pprof makes is the one that we write.
        diff = self.pprof("-raw", self.path("diff", "pb.gz"))
        self.assertRegex(diff, r"(?m)^ +-\d+")
        self_diff = self.pprof("-top", "-unit=B", "-diff_base",
                               self.path("heap", "pb.gz"),
                               self.path("heap", "pb.gz"))
        self.assertRegex(self_diff, r"accounting for 0,?B?")

    def pprof(self, *words):
        done = subprocess.run(
            [GO, "tool", "pprof", "-nodecount=100000", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
            env={**self.environment(False), "HOME": self.scratch})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()


if __name__ == "__main__":
    unittest.main()
