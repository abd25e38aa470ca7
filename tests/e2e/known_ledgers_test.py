# SPDX-License-Identifier: Apache-2.0
"""Programs that know what they hold: the ledger says the same, to the byte."""

import signal
import time
import unittest

import counted
import harness
from scenarios import scenario

OTHER_ALLOCATORS = ("libjemalloc.so.2", "libtcmalloc_minimal.so.4",
                    "libmimalloc.so.2.0")


class KnownLedgersTest(harness.ShimTest):

    def check(self, command, status=0, preload=True):
        bare = self.run_command(command, preload=False)
        done = self.run_command(command, preload=preload)
        self.assertEqual(done.status, status, done.err)
        self.assertEqual((done.status, done.out, done.err),
                         (bare.status, bare.out, bare.err))
        expected = {}
        for line in done.out.decode().splitlines():
            function, size, objects = line.split()
            expected[function] = [int(size), int(objects)]
        self.assertTrue(expected)
        report = self.only_report(done.pid)
        self.assertEqual(report["process"]["state"], "exited")
        self.assertEqual(report["degraded"].get("untracked_block", 0), 0)
        names = {name.split("<")[0]: name for name in expected}
        live = {name: [0, 0] for name in expected}
        for site in report["callsites"]:
            for frame in site["stack"]:
                # "void known::Fill<long, 10>(…)" -> "known::Fill"
                name = frame["function"].split("(")[0].split("<")[0]
                name = name.split(" ")[-1]
                if name in names:
                    live[names[name]][0] += site["live_bytes"]
                    live[names[name]][1] += site["live_objects"]
                    break
        self.assertEqual(live, expected)
        return report

    def test_every_c_entry_point(self):
        report = self.check([harness.program("known_c")])
        self.assertGreaterEqual(report["peak_live_bytes"], 5 << 30)

    def test_cxx_templates_inlining_exceptions_and_operators(self):
        self.check([harness.program("known_cxx")], status=7)

    def test_threads_that_hand_blocks_over(self):
        for threads in (1, 4, 60):
            with self.subTest(threads=threads):
                self.check([harness.program("known_threads"), str(threads)])

    def test_over_other_allocators(self):
        for allocator in OTHER_ALLOCATORS:
            with self.subTest(allocator=allocator):
                preload = [harness.SHIM, allocator]
                self.check([harness.program("known_threads"), "4"],
                           preload=preload)
                if "mimalloc" in allocator:
                    continue  # its operator new aborts when memory is out
                self.check([harness.program("known_cxx")], status=7,
                           preload=preload)

    @scenario(14)
    def test_a_live_program_is_read_without_touching_it(self):
        process = self.start([harness.program("busy"), "2", "30"])
        self.assertEqual(process.stdout.readline(), b"started\n")
        before = None
        for _ in range(5):
            report = self.only_report(process.pid)
            totals = report["totals"]
            if before is not None:
                self.assertGreater(totals["allocations"],
                                   before["allocations"])
                self.assertGreaterEqual(totals["freed_bytes"],
                                        before["freed_bytes"])
            before = totals
            time.sleep(0.2)
        self.assertEqual(report["process"]["state"], "live")
        process.send_signal(signal.SIGKILL)
        self.assertEqual(self.finish(process).status, -signal.SIGKILL)

    @scenario(32, 57)
    def test_the_last_state_stands_after_kill_9(self):
        process = self.start([harness.program("busy"), "3", "30"])
        self.assertEqual(process.stdout.readline(), b"started\n")
        time.sleep(0.5)
        alive = self.only_report(process.pid)["totals"]
        process.send_signal(signal.SIGKILL)
        self.finish(process)
        report = self.only_report(process.pid)
        self.assertEqual(report["process"]["state"], "killed")
        self.assertGreaterEqual(report["totals"]["allocations"],
                                alive["allocations"])
        live = self.live_by_function(report, ["Growing", "Temporary"])
        self.assertEqual(live["Growing"][0], 512 * live["Growing"][1])
        self.assertGreater(live["Growing"][1], 100)
        # At most the 64 blocks of each thread's round.
        self.assertLessEqual(live["Temporary"][1], 3 * 65)


class StackModesTest(counted.CountedTest):
    """Whatever stacks are taken, the counts are the same."""

    def check(self, command, beneath=(), status=0):
        """A program that does the same each time, as full stacks see it."""
        preload = [harness.SHIM, *beneath]
        self.mode = "exact"
        self.clear()
        plain = self.run_command(command, preload=preload)
        self.assertEqual(plain.status, status, plain.err)
        expected = self.only_report(plain.pid)
        for mode, report, done in self.in_modes(command, preload, plain):
            self.assertEqual(report["totals"], expected["totals"])
            self.assertEqual(report["peak_live_bytes"],
                             expected["peak_live_bytes"])
            self.check_stacks(mode, report, done.out)

    def check_counted(self, command, beneath=()):
        """One that does not, as the counting preload sees it."""
        arguments = self.counted()
        plain = self.run_command(command, preload=list(beneath))
        for mode, report, done in self.in_modes(
                command, [*arguments["preload"], *beneath], plain,
                arguments["env"]):
            self.check_ledgers()
            self.check_stacks(mode, report, done.out)

    def in_modes(self, command, preload, plain, env=None):
        for mode in ("caller", "frame-pointer", "adaptive"):
            with self.subTest(mode=mode, command=command, preload=preload):
                self.clear()
                self.mode = mode
                done = self.run_command(command, preload=preload, env=env)
                self.assertEqual((done.status, done.out, done.err),
                                 (plain.status, plain.out, plain.err))
                report = self.only_report(done.pid)
                self.assertEqual(report["process"]["stack"], mode)
                yield mode, report, done

    def check_stacks(self, mode, report, out):
        if mode == "adaptive":
            self.check_functions(report, out)
        elif mode == "caller":
            self.assertEqual({len(self.frames(site))
                              for site in report["callsites"]
                              if site["allocations"]}, {1})

    @staticmethod
    def frames(site):
        return [frame for frame in site["stack"] if not frame.get("inlined")]

    def check_functions(self, report, out):
        """Each function has what it holds, but for what lies in cut stacks."""
        expected = {}
        for line in out.decode().splitlines():
            function, size, objects = line.split()
            name = function.split("<")[0].split("::")[-1]
            sums = expected.setdefault(name, [0, 0])
            sums[0] += int(size)
            sums[1] += int(objects)
        missing = [0, 0]
        for site in report["callsites"]:
            names = [frame["function"].split("(")[0].split("<")[0]
                     .split(" ")[-1].split("::")[-1]
                     for frame in site["stack"]]
            for name in names:
                if name in expected:
                    expected[name][0] -= site["live_bytes"]
                    expected[name][1] -= site["live_objects"]
                    break
            else:
                if site.get("cut"):
                    missing[0] += site["live_bytes"]
                    missing[1] += site["live_objects"]
        for name, (size, objects) in expected.items():
            self.assertGreaterEqual((size, objects), (0, 0), name)
        for what in (0, 1):
            self.assertLessEqual(
                sum(sums[what] for sums in expected.values()), missing[what])

    def test_every_c_entry_point(self):
        self.check([harness.program("known_c")])

    def test_cxx_templates_inlining_exceptions_and_operators(self):
        self.check([harness.program("known_cxx")], status=7)

    def test_threads_that_hand_blocks_over(self):
        for threads in (4, 60):
            self.check_counted([harness.program("known_threads"),
                                str(threads)])

    def test_over_other_allocators(self):
        for allocator in OTHER_ALLOCATORS:
            self.check_counted([harness.program("known_threads"), "4"],
                               [allocator])
            if "mimalloc" in allocator:
                continue  # its operator new aborts when memory is out
            self.check([harness.program("known_cxx")], [allocator], status=7)

    def test_modes_that_do_not_count_all_change_nothing_to_see(self):
        for mode in ("sampled", "dormant"):
            for allocator in ((),) + OTHER_ALLOCATORS:
                beneath = [allocator] if allocator else []
                for command in ((["known_c"], 0), (["known_cxx"], 7),
                                (["known_threads", "4"], 0)):
                    (name, *arguments), status = command
                    if allocator and (name == "known_c" or
                                      "mimalloc" in allocator):
                        continue
                    with self.subTest(mode=mode, program=name,
                                      beneath=beneath):
                        line = [harness.program(name), *arguments]
                        bare = self.run_command(line, preload=beneath)
                        self.mode = mode
                        self.clear()
                        done = self.run_command(
                            line, preload=[harness.SHIM, *beneath])
                        self.assertEqual((done.status, done.out, done.err),
                                         (status, bare.out, bare.err))
                        report = self.only_report(done.pid)
                        self.assertEqual(report["process"]["mode"], mode)
                        self.assertEqual(report["degraded"], {})


if __name__ == "__main__":
    unittest.main()
