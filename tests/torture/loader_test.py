# SPDX-License-Identifier: Apache-2.0
"""Code that comes and goes: names stay, nothing waits for the loader.

Scenarios 7 (RTLD_DEEPBIND, foreign frees), 10 (dlmopen), 23 (loader and
unwinder), 27 (dlclose).
"""

import subprocess
import unittest

import harness
from harness import program
from scenarios import scenario
from torture import TortureTest


class LoaderTest(TortureTest):

    def command(self, how):
        return [program("loader"), how, program("libplugin_a.so"),
                program("libplugin_b.so")]

    @scenario(27)
    def test_27_unloaded_code_keeps_its_name(self):
        report = self.check_known(self.command("rounds"))
        # One callsite each, however often it came back.
        for function in ("PluginAAllocate", "PluginBAllocate"):
            sites = [site for site in report["callsites"]
                     if site["stack"][:1]
                     and site["stack"][0]["function"] == function]
            self.assertEqual(len(sites), 1)
            self.assertEqual(sites[0]["stack"][0]["module"],
                             f"libplugin_{function[6].lower()}.so")

    @scenario(23)
    def test_23_loader_exceptions_iteration_and_threads(self):
        settings = ({},)
        if self.mode == "exact":
            settings = ({}, {"HEAPLEDGER_STACK": "frame-pointer"})
        for env in settings:
            with self.subTest(env=env):
                report = self.check_known(self.command("storm"), env=env)
                for name in ("foreign_free", "unseen_free"):
                    self.assertEqual(report["degraded"].get(name, 0), 0)
                for function in ("InCallback", "InThread", "Thrown",
                                 "PluginAAllocate"):
                    # A few at least, however busy the machine.
                    self.assertGreater(
                        self.sums_of(report, function)["frees"], 3)

    @scenario(23)
    def test_23_the_end_amid_the_storm(self):
        # With a scan, which stops threads that may hold the loader's lock.
        for scan in ({}, {"HEAPLEDGER_SCAN": "exit"}):
            for _ in range(5):
                with self.subTest(scan=bool(scan)):
                    done = self.run_both(self.command("ending"), env=scan)
                    self.assertEqual(done.status, 7)
                    report = self.report(self.ledger_files(done.pid)[-1])
                    self.assertEqual(report["process"]["state"], "exited")

    @scenario(23)
    def test_23_scans_and_snapshots_amid_the_storm(self):
        command = self.command("storm")
        bare = self.run_command(command, preload=False)
        process = self.start(command)
        results = set()
        while process.poll() is None:
            for words in (["leaks", str(process.pid), "--scan", "--json"],
                          ["report", str(process.pid), "--json"]):
                asked = subprocess.run(
                    [harness.CLI, *words, "--dir", self.ledgers],
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                    timeout=60, env=self.environment(False), check=False)
                # Told, or refused with a sentence; never killed.
                self.assertIn(asked.returncode, (0, 1, 3), asked.stderr)
                results.add((words[0], asked.returncode))
        done = self.finish(process)
        self.assertEqual((bare.status, bare.out), (done.status, done.out))
        self.assertIn(("report", 0), results)

    @scenario(7)
    def test_7_a_plugin_that_goes_past_us(self):
        done = self.run_both(self.command("deepbind"))
        self.assertEqual(done.status, 0)
        report = self.only_report(done.pid)
        self.assertEqual(report["process"]["state"], "exited")
        self.assertGreaterEqual(report["degraded"]["foreign_free"], 50)
        # A block that went away unseen is booked so when its place is reused.
        self.assertGreater(report["degraded"]["unseen_free"], 800)
        crossing = self.sums_of(report, "Crossing")
        self.assertEqual(crossing["allocations"], 21 * 50)
        self.assertLessEqual(crossing["live_objects"], 50)

    @scenario(10)
    def test_10_a_second_namespace(self):
        report = self.check_known(self.command("dlmopen"))
        self.assertEqual(self.sums_of(report, "Crossing")["allocations"], 500)


if __name__ == "__main__":
    unittest.main()
