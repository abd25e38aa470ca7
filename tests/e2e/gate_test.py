# SPDX-License-Identifier: Apache-2.0
"""The gate over real programs: verdicts, statuses, rounds, rules and files."""

import json
import os
import unittest

import gate_formats
import harness
from scenarios import scenario

CASES = harness.program("gate_cases")
STATIC = harness.program("gate_static")
LEAK, NOT_MEASURED, USAGE = 23, 3, 2


class GateTest(harness.ShimTest):

    def gate(self, *words, status, env=None):
        """Runs the gate, which must end with `status`; what it said."""
        result = self.run_command([harness.CLI, "gate", *words], preload=False,
                                  env={"HEAPLEDGER_DIR": self.ledgers,
                                       **(env or {})})
        result.err, result.out = result.err.decode(), result.out.decode()
        self.assertEqual(result.status, status, result.err)
        return result

    def report(self, *words, status, env=None):
        """The same; what it wrote as JSON."""
        path = self.path("report.json")
        self.gate("--json", path, *words, status=status, env=env)
        return json.loads(self.read(path))

    def path(self, name):
        return os.path.join(self.scratch, name)

    def read(self, path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def only(self, report):
        self.assertEqual(len(report["findings"]), 1, report["findings"])
        return report["findings"][0]


class Verdicts(GateTest):

    def test_a_clean_program_passes_and_leaves_nothing(self):
        result = self.gate("--", CASES, "clean", status=0)
        self.assertIn("pass: no new leak; 1 process judged", result.err)
        self.assertEqual(os.listdir(self.ledgers), [])

    def test_a_leak_fails_with_its_place(self):
        report = self.report("--", CASES, "leak", status=LEAK)
        finding = self.only(report)
        self.assertEqual(report["verdict"], "leak")
        self.assertEqual(finding["function"], "LoseBlocks")
        self.assertIn("gate_cases.c:", finding["location"])
        self.assertEqual(finding["amount"], {"bytes": 96, "objects": 3})
        self.assertEqual(finding["direct"], {"bytes": 96, "objects": 3})
        self.assertEqual(finding["state"], "new")
        self.assertIn("main", [f["function"] for f in finding["stack"]])

    def test_says_it_on_the_terminal(self):
        result = self.gate("--", CASES, "leak", status=LEAK)
        self.assertEqual(result.out, "")
        lines = result.err.splitlines()
        self.assertIn("leak: 96 B in 3 blocks lost at 1 callsite", lines[0])
        self.assertIn("LoseBlocks at ", lines[1])
        self.assertIn("next: free it, or suppress it with leak:LoseBlocks",
                      result.err)
        # The command that it offers works.
        command = result.err.split("all of it: ")[1].split()
        self.assertEqual(command[0], "heapledger")
        shown = self.run_command([harness.CLI, *command[1:]], preload=False)
        self.assertEqual(shown.status, 0, shown.err)
        self.assertIn(b"LoseBlocks", shown.out)

    def test_tells_direct_from_indirect(self):
        finding = self.only(self.report("--", CASES, "chain", status=LEAK))
        self.assertEqual(finding["direct"]["objects"], 1)
        self.assertEqual(finding["indirect"]["objects"], 3)
        self.assertEqual(finding["amount"]["bytes"], 4 * 64)

    def test_reachable_memory_passes_unless_all_counts(self):
        report = self.report("--", CASES, "keep", status=0)
        self.assertEqual(report["findings"], [])
        self.assertGreaterEqual(report["reachable"]["bytes"], 500)
        finding = self.only(
            self.report("--all-live", "--", CASES, "keep", status=LEAK))
        self.assertEqual(finding["function"], "KeepBlocks")
        self.assertEqual(finding["amount"], {"bytes": 500, "objects": 5})
        self.assertNotIn(
            "still reachable",
            self.gate("--unreachable-only", "--", CASES, "keep",
                      status=0).err)

    @scenario(49)
    def test_the_programs_own_failure_is_passed_on(self):
        self.gate("--", CASES, "leak-and-fail", "7", status=7)
        report = self.report("--", CASES, "leak-and-fail", "7", status=7)
        self.assertEqual(report["program_status"], 7)
        self.assertEqual(report["verdict"], "leak")
        self.gate("--", CASES, "kill", "9", status=137)
        self.gate("--", self.path("nowhere"), status=127)

    @scenario(49)
    def test_the_status_of_a_leak_can_be_chosen(self):
        self.gate("--exit-code", "99", "--", CASES, "leak", status=99)


@scenario(48)
class Tree(GateTest):

    def test_a_leak_in_a_child_counts(self):
        finding = self.only(self.report("--", CASES, "child", status=LEAK))
        self.assertEqual(finding["amount"], {"bytes": 80, "objects": 2})
        self.assertIn("LoseInChild", [f["function"] for f in finding["stack"]])

    def test_a_childs_heritage_is_its_parents(self):
        report = self.report("--", CASES, "inherit", status=LEAK)
        self.assertEqual(
            sorted(f["amount"]["bytes"] for f in report["findings"]), [80, 96])

    def test_a_child_that_outlives_is_waited_for(self):
        finding = self.only(
            self.report("--", CASES, "outliving-child", status=LEAK))
        self.assertEqual(finding["amount"]["bytes"], 80)
        report = self.report("--wait", "0", "--", CASES, "outliving-child",
                             status=NOT_MEASURED)
        self.assertIn("still runs", report["unmeasured"][0]["reason"])

    @scenario(8)
    def test_a_static_program_is_not_measured(self):
        report = self.report("--", STATIC, "leak", status=NOT_MEASURED)
        self.assertEqual(report["verdict"], "not measured")
        self.assertIn("linked statically", report["unmeasured"][0]["reason"])
        self.report("--allow-unmeasured", "--", STATIC, "leak", status=0)

    def test_a_static_child_is_not_measured(self):
        for how in ("spawn", "exec"):
            report = self.report("--", CASES, how, STATIC, "clean",
                                 status=NOT_MEASURED)
            self.assertEqual(len(report["unmeasured"]), 1, how)

    @scenario(8)
    def test_who_escapes_the_environment_is_not_measured(self):
        report = self.report("--", "env", "-i", CASES, "linger",
                             status=NOT_MEASURED)
        self.assertEqual(report["unmeasured"][0]["program"], "gate_cases")
        self.assertIn("LD_PRELOAD", report["unmeasured"][0]["reason"])

    @scenario(32)
    def test_who_ends_without_a_scan_is_not_measured(self):
        self.gate("--", CASES, "raw-exit", status=NOT_MEASURED)
        report = self.report("--", CASES, "crashing-child",
                             status=NOT_MEASURED)
        self.assertIn("ended without its exit scan",
                      report["unmeasured"][0]["reason"])

    def test_an_exec_is_no_fault(self):
        report = self.report("--", CASES, "exec", CASES, "clean", status=0)
        self.assertEqual([p["fate"] for p in report["processes"]],
                         ["replaced", "judged"])
        self.report("--", "sh", "-c", f"{CASES} clean; exec {CASES} clean",
                    status=0)

    def test_children_can_be_left_out(self):
        self.gate("--follow", "none", "--", CASES, "spawn", CASES, "leak",
                  status=0)

    def test_more_children_than_a_directory_keeps(self):
        report = self.report("--", CASES, "many", "300", status=LEAK)
        self.assertEqual(len(report["processes"]), 301)
        self.assertEqual({p["fate"] for p in report["processes"]}, {"judged"})
        self.assertEqual(self.only(report)["amount"]["bytes"], 96)


class Rounds(GateTest):

    def test_only_what_leaks_every_round_fails(self):
        count = self.path("count")
        report = self.report("--repeat", "3", "--", CASES, "sometimes", count,
                             status=0)
        self.assertEqual(self.read(count), "3")
        self.assertEqual(self.only(report)["state"], "unsteady")
        report = self.report("--repeat", "3", "--", CASES, "leak", status=LEAK)
        self.assertEqual(self.only(report)["rounds"], 3)

    def test_warm_up_rounds_do_not_count(self):
        count = self.write("count", "0")
        self.gate("--warmup", "2", "--", CASES, "sometimes", count, status=0)
        self.gate("--warmup", "2", "--", CASES, "sometimes", count,
                  status=0 if int(self.read(count)) % 2 == 0 else LEAK)
        self.assertEqual(self.read(count), "6")

    def test_growth_from_round_to_round(self):
        report = self.report("--repeat", "3", "--max-growth", "0", "--", CASES,
                             "grow", self.path("count"), status=LEAK)
        finding = self.only(report)
        self.assertEqual(finding["evidence"], "growth")
        self.assertEqual(finding["function"], "KeepBlocks")
        self.assertEqual(finding["amount"], {"bytes": 200, "objects": 2})
        self.report("--repeat", "3", "--max-growth", "200", "--", CASES,
                    "grow", self.path("count"), status=0)

    def test_a_failing_round_ends_it(self):
        self.report("--repeat", "3", "--", CASES, "leak-and-fail", "5",
                    status=5)


class Budgets(GateTest):

    def test_leaked(self):
        self.gate("--max-leaked", "96", "--", CASES, "leak", status=0)
        self.gate("--max-leaked", "95", "--", CASES, "leak", status=LEAK)

    def test_peak_and_allocations(self):
        self.gate("--max-peak", "1M", "--max-allocs", "100", "--", CASES,
                  "keep", status=0)
        result = self.gate("--max-peak", "499", "--", CASES, "keep",
                           status=LEAK)
        self.assertIn("over budget: --max-peak is 499 B", result.err)
        self.gate("--max-allocs", "4", "--", CASES, "keep", status=LEAK)


@scenario(50)
class Rules(GateTest):

    def test_suppressions_of_leak_sanitizer(self):
        for pattern in ("LoseBlocks", "^Lose*s$", "gate_cases.c",
                        "bin/../", "programs/gate_cases"):
            rules = self.write("rules", f"# known\nleak:{pattern}\n")
            status = LEAK if pattern == "bin/../" else 0
            self.gate("--suppressions", rules, "--", CASES, "leak",
                      status=status)

    def test_options_of_leak_sanitizer(self):
        rules = self.write("rules", "leak:LoseBlocks\n")
        self.gate("--", CASES, "leak", status=0,
                  env={"LSAN_OPTIONS": f"verbosity=0:suppressions={rules}"})

    def test_expired_rules_and_unused_ones_are_listed(self):
        rules = self.write(
            "rules", "# reason=old bug expires=2020-02-29\nleak:LoseBlocks\n"
            "leak:Nobody\n")
        result = self.gate("--suppressions", rules, "--", CASES, "leak",
                           status=LEAK)
        self.assertIn("leak:LoseBlocks expired on 2020-02-29", result.err)
        self.assertIn("leak:Nobody covered nothing", result.err)

    def test_a_rule_has_its_limit(self):
        rules = self.write("rules", "# max=95\nleak:LoseBlocks\n")
        result = self.gate("--suppressions", rules, "--", CASES, "leak",
                           status=LEAK)
        self.assertIn("more than max=95 B of", result.err)

    def test_a_baseline_goes_round(self):
        baseline = self.path("baseline")
        known = ["--baseline", baseline]
        self.gate(*known, "--", CASES, "leak", status=USAGE)
        self.gate(*known, "--update-baseline", "--", CASES, "leak", status=0)
        first = self.read(baseline)
        self.assertIn("\t96\t3\tLoseBlocks\t", first)
        report = self.report(*known, "--", CASES, "leak", status=0)
        self.assertEqual(self.only(report)["state"], "known")
        report = self.report(*known, "--", CASES, "chain", status=LEAK)
        self.assertEqual(self.only(report)["state"], "new")
        self.assertEqual(report["fixed"][0]["function"], "LoseBlocks")
        # Not written from a run that was not measured, or failed.
        self.gate(*known, "--update-baseline", "--", STATIC, "leak",
                  status=NOT_MEASURED)
        self.gate(*known, "--update-baseline", "--", CASES, "leak-and-fail",
                  "4", status=4)
        self.assertEqual(self.read(baseline), first)
        self.gate(*known, "--update-baseline", "--", CASES, "clean", status=0)
        self.assertNotIn("LoseBlocks", self.read(baseline))

    def test_wrong_usage_runs_nothing(self):
        for words in (["--max-peak", "lots"], ["--update-baseline"],
                      ["--suppressions", self.path("none")],
                      ["--suppressions", self.write("bad", "race:x\n")],
                      ["--baseline", self.write("worse", "leak:x\n")],
                      ["--all-live", "--unreachable-only"],
                      ["--junit", self.path("no/such/directory/x.xml")],
                      ["--repeat", "0"], ["--exit-code", "256"]):
            result = self.gate(*words, "--", CASES, "grow",
                               self.path("count"), status=USAGE)
            self.assertEqual(len(result.err.splitlines()), 1, result.err)
        self.assertFalse(os.path.exists(self.path("count")))
        self.gate(status=USAGE)


class Files(GateTest):

    def files(self, *command, status, env=None, options=()):
        names = {kind: self.path(kind)
                 for kind in ("junit", "sarif", "gitlab", "markdown")}
        words = [word for kind, path in names.items()
                 for word in (f"--{kind}", path)]
        result = self.gate(*words, "--github", *options, "--", *command,
                           status=status, env=env)
        texts = {kind: self.read(path) for kind, path in names.items()}
        return result, texts

    def test_of_a_leak(self):
        summary = self.write("summary", "before\n")
        source_root = os.path.dirname(os.path.dirname(
            os.path.abspath(__file__)))
        result, texts = self.files(
            CASES, "leak", status=LEAK,
            env={"GITHUB_STEP_SUMMARY": summary,
                 "GITHUB_WORKSPACE": source_root})
        suite = gate_formats.junit(texts["junit"])
        self.assertEqual(suite.get("name"), "gate_cases")
        failed = [case.get("name") for case in suite.iter("testcase")
                  if case.find("failure") is not None]
        self.assertEqual(len(failed), 2, failed)  # the callsite, the budget
        self.assertIn("LoseBlocks", failed[0])
        run = gate_formats.sarif(texts["sarif"])["runs"][0]
        result_ = run["results"][0]
        place = result_["locations"][0]["physicalLocation"]
        self.assertEqual(place["artifactLocation"],
                         {"uri": "e2e/programs/gate_cases.c",
                          "uriBaseId": "SRCROOT"})
        with open(os.path.join(source_root, "e2e/programs/gate_cases.c"),
                  encoding="utf-8") as source:
            line = source.read().splitlines()[
                place["region"]["startLine"] - 1]
        self.assertIn("malloc(bytes)", line)
        steps = result_["codeFlows"][0]["threadFlows"][0]["locations"]
        functions = [step["location"]["logicalLocations"][0]
                     ["fullyQualifiedName"] for step in steps]
        self.assertLess(functions.index("main"), functions.index("LoseBlocks"))
        entry, = gate_formats.gitlab(texts["gitlab"])
        self.assertEqual(entry["location"]["path"],
                         "e2e/programs/gate_cases.c")
        self.assertEqual(entry["severity"], "major")
        (kind, properties, text), notice = gate_formats.github(result.out)
        self.assertEqual((kind, notice[0]), ("error", "notice"))
        self.assertEqual(properties["file"], "e2e/programs/gate_cases.c")
        self.assertIn("96 B in 3 blocks lost by LoseBlocks", text)
        self.assertEqual(self.read(summary), "before\n" + texts["markdown"])
        self.assertIn("LoseBlocks", texts["markdown"])

    def test_of_a_pass(self):
        result, texts = self.files(CASES, "clean", status=0)
        suite = gate_formats.junit(texts["junit"])
        self.assertEqual(suite.get("failures"), "0")
        self.assertGreater(int(suite.get("tests")), 0)
        run = gate_formats.sarif(texts["sarif"])["runs"][0]
        self.assertEqual(run["results"], [])
        self.assertTrue(run["invocations"][0]["executionSuccessful"])
        self.assertEqual(gate_formats.gitlab(texts["gitlab"]), [])
        (kind, _, text), = gate_formats.github(result.out)
        self.assertEqual(kind, "notice")
        self.assertIn("pass", text)

    def test_of_what_is_not_measured(self):
        result, texts = self.files(STATIC, "clean", status=NOT_MEASURED)
        suite = gate_formats.junit(texts["junit"])
        self.assertEqual(suite.get("errors"), "1")
        invocation = gate_formats.sarif(
            texts["sarif"])["runs"][0]["invocations"][0]
        self.assertFalse(invocation["executionSuccessful"])
        self.assertEqual(len(invocation["toolExecutionNotifications"]), 1)
        self.assertEqual(gate_formats.github(result.out)[0][0], "error")

    def test_of_what_is_suppressed(self):
        rules = self.write("rules", "# reason=<&\">\nleak:LoseBlocks\n")
        _, texts = self.files(CASES, "leak", status=0,
                              options=["--suppressions", rules])
        suite = gate_formats.junit(texts["junit"])
        self.assertEqual(suite.get("skipped"), "1")
        suppression, = gate_formats.sarif(
            texts["sarif"])["runs"][0]["results"][0]["suppressions"]
        self.assertIn('<&">', suppression["justification"])

    def test_names_of_files_can_say_of_which_test(self):
        self.gate("--junit", self.path("%e-%%.xml"), "--", CASES, "clean",
                  status=0)
        gate_formats.junit(self.read(self.path("gate_cases-%.xml")))


if __name__ == "__main__":
    unittest.main()
