# SPDX-License-Identifier: Apache-2.0
"""`heapledger leaks` on real services: what leaks is named at its function with
evidence, what does not is left alone."""

import json
import os
import signal
import subprocess
import unittest

import harness
from scenarios import scenario


class LeaksTest(harness.ShimTest):
    mode = "exact"

    def service(self, name, speed):
        process = self.start([harness.program(name), "120", str(speed)])
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"started\n")
        return process

    def look(self, *arguments):
        """Starts a look; finish it with `answer`."""
        return subprocess.Popen(
            [harness.CLI, "leaks", "--dir", self.ledgers, *arguments],
            env=self.environment(False), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def answer(self, look):
        out, err = look.communicate(timeout=120)
        self.assertEqual(look.returncode, 0, err)
        return json.loads(out)

    def command(self, *arguments):
        return subprocess.run([harness.CLI, *arguments, "--dir", self.ledgers],
                              env=self.environment(False),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120)

    def functions(self, page):
        return {suspect["function"].split("::")[-1].split("(")[0]
                for suspect in page["suspects"]}

    @scenario(52)
    def test_only_what_leaks_is_named(self):
        # Ten times faster than they are, so that 40 seconds are enough.
        services = {
            "leak_connection": {"NewInputBuffer"},
            "leak_cycle": {"MakePeer"},
            "calm_sawtooth": set(),
            "calm_batch": set(),
        }
        looks = {}
        for name in services:
            process = self.service(name, 10)
            looks[name] = self.look(str(process.pid), "--duration", "40s",
                                    "--json")
        pages = {name: self.answer(look) for name, look in looks.items()}
        for name, expected in services.items():
            self.assertEqual(self.functions(pages[name]), expected,
                             pages[name])
        suspect = pages["leak_cycle"]["suspects"][0]
        self.assertEqual(suspect["state"], "new")
        growth, age = suspect["evidence"]
        # Ten meetings a second, ten times faster, of two peers.
        self.assertAlmostEqual(growth["objects_per_second"], 200, delta=40)
        self.assertEqual(growth["kind"], "growth")
        self.assertEqual((age["kind"], age["freed"]), ("age", 0))
        self.assertGreater(age["older_objects_at_least"], 0)
        self.assertIn("was freed", age["reason"])
        self.assertTrue(any("MeetAndPart" in frame["function"]
                            for frame in suspect["stack"]))

    def test_a_baseline_makes_it_known(self):
        process = self.service("leak_cycle", 10)
        first = self.answer(self.look(str(process.pid), "--duration", "8s",
                                      "--json"))
        self.assertEqual(self.functions(first), {"MakePeer"}, first)
        baseline = os.path.join(self.scratch, "known")
        with open(baseline, "w") as file:
            file.write(first["suspects"][0]["callsite"] + "  MakePeer\n")
        second = self.answer(self.look(str(process.pid), "--duration", "8s",
                                       "--json", "--baseline", baseline))
        self.assertEqual([s["state"] for s in second["suspects"]], ["known"])

    def test_an_interrupt_ends_the_look_with_what_was_seen(self):
        process = self.service("leak_cycle", 1)
        look = self.look(str(process.pid), "--duration", "1h", "--json")
        self.assertIn(b"looks at leak_cycle", look.stderr.readline())
        look.send_signal(signal.SIGINT)
        page = self.answer(look)
        self.assertEqual(page["suspects"], [])

    def test_the_end_of_the_program_ends_the_look(self):
        process = self.service("leak_cycle", 1)
        look = self.look(str(process.pid), "--duration", "1h")
        self.assertIn(b"looks at leak_cycle", look.stderr.readline())
        process.kill()
        out, err = look.communicate(timeout=60)
        self.assertEqual(look.returncode, 0)
        self.assertIn(b"ended meanwhile", err)
        self.assertIn(b"0 suspects", out)
        after = self.command("leaks", str(process.pid))
        self.assertEqual(after.returncode, 1)
        self.assertIn(b"does not run any more", after.stderr)

    def test_snapshots_and_marks_tell_too(self):
        process = self.service("leak_cycle", 10)
        moments = []
        for name in ("a", "b", "c"):
            path = os.path.join(self.scratch, name + ".hl")
            done = self.command("snapshot", str(process.pid), "-o", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            moments.append(path)
            done = self.command("mark", str(process.pid), name)
            self.assertEqual(done.returncode, 0, done.stderr)
        marks = [f"{process.pid}@{name}" for name in "abc"]
        for words in (moments, marks, marks[:2] + [str(process.pid)]):
            done = self.command("leaks", *words, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            page = json.loads(done.stdout)
            self.assertEqual(self.functions(page), {"MakePeer"}, page)
            self.assertEqual(page["suspects"][0]["evidence"][0]["basis"],
                             "moments")
        one = self.command("leaks", moments[0])
        self.assertEqual(one.returncode, 2)
        self.assertIn(b"is one moment; give three", one.stderr)
        two = self.command("leaks", *moments[:2])
        self.assertEqual(two.returncode, 2)
        self.assertIn(b"growth cannot be told from 2 snapshots", two.stderr)


    def test_a_scan_at_the_end_is_told_of_the_dead(self):
        done = self.run_command([harness.program("exit_scan_cases")],
                                env={"HEAPLEDGER_SCAN": "exit"})
        self.assertEqual(done.status, 0)
        rules = os.path.join(self.scratch, "rules")
        with open(rules, "w") as file:
            file.write("leak:Lose\n")
        for options, state in (([], "new"),
                               (["--suppressions", rules], "suppressed")):
            told = self.command("leaks", str(done.pid), "--json", *options)
            self.assertEqual(told.returncode, 0, told.stderr)
            suspect, = json.loads(told.stdout)["suspects"]
            self.assertEqual((suspect["function"], suspect["state"]),
                             ("Lose", state))
            evidence, = suspect["evidence"]
            self.assertEqual(
                (evidence["kind"], evidence["at_exit"],
                 evidence["direct_bytes"]), ("unreachable", True, 11))
        absent = self.command("leaks", str(done.pid), "--suppressions",
                              os.path.join(self.scratch, "absent"))
        self.assertEqual(absent.returncode, 2)
        self.assertIn(b"absent", absent.stderr)


if __name__ == "__main__":
    unittest.main()
