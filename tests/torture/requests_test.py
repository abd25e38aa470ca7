# SPDX-License-Identifier: Apache-2.0
"""Requests from outside at the worst moments: the program is unharmed.

Trims while threads allocate and fork, noise in the control word, and pressure
told to programs that poll, wait or run callbacks.
"""

import json
import os
import subprocess
import threading
import time
import unittest

import harness
from harness import program
from torture import TortureTest

REQUESTER = os.environ.get("HEAPLEDGER_REQUESTER", "")
ALLOCATORS = {"glibc": [], "jemalloc": ["libjemalloc.so.2"],
              "tcmalloc": ["libtcmalloc_minimal.so.4"],
              "mimalloc": ["libmimalloc.so.2.0"]}
OVER = 5


class RequestsTest(TortureTest):

    def ledger_of(self, process):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            files = self.ledger_files(process.pid)
            if files:
                return files[-1]
            time.sleep(0.01)
        raise AssertionError("no ledger")

    def ask(self, ledger, *request, check=True):
        return subprocess.run([REQUESTER, ledger, *map(str, request)],
                              env=self.environment(False), timeout=60,
                              check=check).returncode

    def storm(self, request, preload=(), milliseconds=3000):
        """Runs the storm under `request(ledger, stop)` in a thread."""
        process = self.start([program("trim_storm"), str(milliseconds)],
                             preload=[harness.SHIM, *preload])
        ledger = self.ledger_of(process)
        stop = threading.Event()
        asker = threading.Thread(target=request, args=(ledger, stop))
        asker.start()
        done = self.finish(process)
        stop.set()
        asker.join()
        self.assertEqual(done.status, 0, (done.out, done.err))
        return ledger, done

    def ask_for_trims(self, ledger, stop):
        while not stop.is_set():
            self.ask(ledger, "trim", check=False)
            time.sleep(0.02)

    def test_trims_while_threads_allocate_and_fork(self):
        for name, preload in ALLOCATORS.items():
            with self.subTest(allocator=name):
                ledger, done = self.storm(self.ask_for_trims, preload)
                # Before the figures: it counts in every mode.
                memory = self.memory_of(ledger)
                self.assertGreaterEqual(memory["trims"], 1, memory)
                self.assertLessEqual(memory["trims"], 5, memory)
                self.assertEqual(memory["last_trim"]["asked_by"], "collector")
                report = self.report(ledger)
                self.assertEqual(report["process"]["state"], "exited")
                self.check_live(report, done.out)

    def memory_of(self, ledger):
        done = subprocess.run(
            [harness.CLI, "report", ledger, "--json", "--dir", self.ledgers],
            stdout=subprocess.PIPE, env=self.environment(False), timeout=60,
            check=True)
        return json.loads(done.stdout)["memory"]

    def test_noise_in_the_control_word_is_harmless(self):
        def scribble(ledger, stop):
            self.ask(ledger, "scribble", 2500)
            stop.wait()

        ledger, _ = self.storm(scribble)
        # It may have been disarmed: what it counts is then not what it has.
        memory = self.memory_of(ledger)
        self.assertLessEqual(memory["trims"], 4, memory)

    def speak(self, how):
        process = self.start([program("pressure"), how])
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.hear(process, "begin 0")
        return process, self.ledger_of(process)

    def hear(self, process, line):
        self.assertEqual(process.stdout.readline().decode().strip(), line)

    def end(self, process):
        self.assertEqual(process.wait(30), 0)

    def test_pressure_that_is_polled_or_waited_for(self):
        for how in ("poll", "wait"):
            with self.subTest(how=how):
                process, ledger = self.speak(how)
                for level in (1, 2, 3, 4, OVER):
                    self.ask(ledger, "pressure", level)
                    self.hear(process, f"{how} {level}")
                self.end(process)

    def test_a_waiting_program_serves_trims(self):
        process, ledger = self.speak("wait")
        time.sleep(0.1)
        self.ask(ledger, "trim")
        deadline = time.monotonic() + 20
        while self.memory_of(ledger)["trims"] == 0:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.ask(ledger, "pressure", OVER)
        self.hear(process, f"wait {OVER}")
        self.end(process)

    def test_callbacks_of_the_levels_that_are_reached(self):
        process, ledger = self.speak("callbacks")
        self.hear(process, "registered 0")
        self.ask(ledger, "pressure", 2)
        for line in ("low 2", "once 2", "ran 2"):
            self.hear(process, line)
        self.ask(ledger, "pressure", 3)
        for line in ("low 3", "high 3", "ran 2"):
            self.hear(process, line)
        self.ask(ledger, "pressure", OVER)
        for line in (f"low {OVER}", f"high {OVER}", "ran 2"):
            self.hear(process, line)
        self.end(process)
        pressure = self.memory_of(ledger)["pressure"]
        self.assertEqual(pressure["taken"], 3)
        self.assertEqual(pressure["last_level"], "over")
        self.assertEqual([(c["least_level"], c["runs"])
                          for c in pressure["callbacks"]],
                         [("low", 3), ("high", 2)])
        for callback in pressure["callbacks"]:
            self.assertGreater(callback["seconds"], 0.002 * callback["runs"])

    def test_callbacks_come_and_go_while_they_run(self):
        process, ledger = self.speak("storm")
        self.hear(process, "registered 0")
        reader = threading.Thread(target=process.stdout.read)
        reader.start()
        for i in range(100):
            self.ask(ledger, "pressure", 1 + i % 4)
        self.ask(ledger, "pressure", OVER)
        self.end(process)
        reader.join()

    def test_a_forked_child_has_its_parents_callbacks(self):
        process, _ = self.speak("fork")
        word, pid = process.stdout.readline().decode().split()
        self.assertEqual(word, "pid")
        ledger = self.ledger_files(int(pid))[-1]
        self.ask(ledger, "pressure", OVER)
        self.hear(process, f"child {OVER}")
        self.hear(process, "ran 1")
        self.end(process)

    def test_without_the_shim_every_call_says_so(self):
        done = self.run_command([program("pressure"), "alone"], preload=False)
        self.assertEqual(done.status, 0)


if __name__ == "__main__":
    unittest.main()
