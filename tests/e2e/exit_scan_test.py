# SPDX-License-Identifier: Apache-2.0
"""The scan at exit on programs with known leaks, and on real ones.

Environment beside harness.py's: HEAPLEDGER_LEAK_REPORT (prints a ledger's
scan), HEAPLEDGER_LEAKS (directory of the corpus).
"""

import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import unittest

import harness
from scenarios import scenario

REPORT = os.environ["HEAPLEDGER_LEAK_REPORT"]
LEAKS = os.environ["HEAPLEDGER_LEAKS"]
sys.path.insert(0, LEAKS)
import corpus  # noqa: E402
import families  # noqa: E402
from scan_report import COUNTS, by_function  # noqa: E402

SCAN = {"HEAPLEDGER_SCAN": "exit"}
LEVELS = ("-O0", "-O2")


class ScanTest(harness.ShimTest):

    def scans(self, pid=None):
        """The scans of all ledgers, or of a process' last image."""
        files = self.ledger_files(pid)
        done = subprocess.run([REPORT, *files], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        scans = [json.loads(line) for line in done.stdout.splitlines()]
        for scan in scans:
            self.assertEqual(scan["corrupt_records"], 0)
        return scans

    def scan_of(self, command, env=None, status=0, **kwargs):
        done = self.run_command(command, env={**SCAN, **(env or {})}, **kwargs)
        self.assertEqual(done.status, status, (done.out, done.err))
        scan, = self.scans(done.pid)
        return scan


class BuiltTest(ScanTest):
    """Programs that are built for the test."""

    def build(self, source, language, output, options):
        path = f"{output}.{language}"
        prelude = '#include "prelude.h"\n'
        if language == corpus.CXX:
            prelude += corpus.CXX_PRELUDE
        with open(path, "w", encoding="utf-8") as out:
            out.write(source if "prelude.h" in source else prelude + source)
        compiler = "gcc" if language == corpus.C else "g++"
        subprocess.run([compiler, "-g", "-w", "-fno-builtin",
                        # Sites that differ in their names alone stay two.
                        "-fno-ipa-icf", "-I", LEAKS,
                        *options, path, "-o", output, "-pthread", "-ldl"],
                       check=True)
        return output

    def check(self, name, losses, level):
        done = self.run_both([os.path.join(self.scratch, name), self.plugin],
                             env=SCAN)
        self.assertEqual(done.status, 0, (done.out, done.err))
        scans = {scan["pid"]: scan for scan in self.scans()}
        for path in self.ledger_files():
            os.unlink(path)
        own = scans.pop(done.pid)
        if "child" in name.split("_") and losses:
            self.assertEqual(own["leaks"], [])
            own, = scans.values()
        else:
            for other in scans.values():
                self.assertEqual(other["leaks"], [])
        self.assertEqual((own["state"], own["reason"]), ("complete", "none"))
        found = by_function(own, losses)
        if None in losses.values():  # libc's own block, of its own size
            self.assertEqual(list(found), list(losses))
            self.assertEqual(own["direct_objects"], 1)
        else:
            self.assertEqual(found, losses, level)


class CorpusTest(BuiltTest):

    def build_all(self, level):
        jobs = [(source, language, os.path.join(self.scratch, name), [level])
                for name, language, _, source in corpus.PROGRAMS]
        self.plugin = os.path.join(self.scratch, "plugin.so")
        jobs.append((corpus.PLUGIN, corpus.C, self.plugin,
                     [level, "-shared", "-fPIC"]))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda job: self.build(*job), jobs))

    def check_all(self, level):
        self.build_all(level)
        only = os.environ.get("HEAPLEDGER_TEST_ONLY", "")
        for name, _, losses, _ in corpus.PROGRAMS:
            if only not in name:
                continue
            with self.subTest(program=name, level=level):
                self.check(name, losses, level)

    def test_the_corpus_is_large_and_even(self):
        names = [name for name, *_ in corpus.PROGRAMS]
        self.assertEqual(len(names), len(set(names)))
        self.assertGreaterEqual(len(names), 60)
        leaking = sum(name.startswith("leak_") for name in names)
        self.assertGreaterEqual(min(leaking, len(names) - leaking),
                                len(names) * 2 // 5)

    @scenario(43, 44, 45, 46)
    def test_unoptimised(self):
        self.check_all("-O0")

    @scenario(43, 44, 46)
    def test_optimised(self):
        self.check_all("-O2")


class SurroundingsTest(ScanTest):
    """Where the process ends: the right verdict, or none with its reason."""

    def case(self, *arguments, status=0, env=None):
        return self.scan_of([harness.program("exit_scan_cases"), *arguments],
                            status=status, env=env)

    def assert_finds_it(self, scan):
        self.assertEqual((scan["state"], scan["reason"]), ("complete", "none"))
        self.assertEqual([scan[name] for name in COUNTS], [11, 1, 0, 0])

    def assert_knows_nothing(self, scan, state, reason):
        self.assertEqual((scan["state"], scan["reason"]), (state, reason))
        self.assertEqual(scan["leaks"], [])

    def test_nobody_asks(self):
        done = self.run_command([harness.program("exit_scan_cases")])
        self.assertEqual(done.status, 0)
        scan, = self.scans(done.pid)
        self.assert_knows_nothing(scan, "not_asked", "none")

    def test_plain_and_not_dumpable(self):
        self.assert_finds_it(self.case())
        self.assert_finds_it(self.case("undumpable"))

    def test_texts_that_look_like_headers_of_chunks(self):
        self.assert_finds_it(self.case("texts"))

    def test_stacks_are_the_same_with_and_without_a_scan(self):
        stacks = []
        for env in ({}, SCAN):
            done = self.run_command([harness.program("exit_scan_cases")],
                                    env=env)
            report = self.only_report(done.pid)
            stacks.append([frame["function"]
                           for site in report["callsites"]
                           if site["live_bytes"] == 11
                           for frame in site["stack"]])
        self.assertIn("main", stacks[0])
        self.assertEqual(stacks[0], stacks[1])

    @scenario(47)
    def test_many_threads_stand_still(self):
        for _ in range(5):
            scan = self.case("threads", "200")
            self.assert_finds_it(scan)
            self.assertEqual(scan["threads"], 200)

    @scenario(47)
    def test_a_thread_that_cannot_be_stopped(self):
        self.assert_knows_nothing(self.case("blocked"), "incomplete",
                                  "thread_missed")

    def test_a_program_that_sealed_itself(self):
        self.assert_knows_nothing(self.case("sealed", status=3), "incomplete",
                                  "sealed")

    @scenario(38)
    def test_a_filter_from_before_the_start(self):
        # Without ptrace (101), and without the copying of memory (310).
        for refused, reason in (("101", None), ("310", None),
                                ("297", "signal_refused")):
            with self.subTest(refused=refused):
                done = self.run_command(
                    [harness.program("exit_scan_cases"), "refuse_then_exec",
                     refused], env=SCAN)
                self.assertEqual(done.status, 0, done.err)
                scan = max(self.scans(done.pid),
                           key=lambda scan: scan["image"])
                if reason is None:
                    self.assert_finds_it(scan)
                else:
                    self.assert_knows_nothing(scan, "incomplete", reason)

    @scenario(37)
    def test_no_address_space(self):
        self.assert_knows_nothing(self.case("address_space"), "incomplete",
                                  "no_memory")

    def test_errno_is_kept(self):
        self.assert_finds_it(self.case("errno"))

    def test_ends_without_a_scan(self):
        self.assert_knows_nothing(self.case("abort", status=-6), "pending",
                                  "none")
        self.assert_knows_nothing(self.case("kernel", status=5), "pending",
                                  "none")

    def test_modes_that_do_not_know_every_block(self):
        for mode in ("sampled", "dormant"):
            with self.subTest(mode=mode):
                self.assert_knows_nothing(
                    self.case(env=harness.MODES[mode]), "incomplete",
                    "not_exact")
        self.assert_finds_it(self.case(env=harness.MODES["adaptive"]))

    @scenario(39, 47)
    def test_as_nobody(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to become nobody")
        nobody = 65534
        os.chmod(self.scratch, 0o755)
        for path in (harness.SHIM, harness.program("exit_scan_cases")):
            shutil.copy(path, self.scratch)
        os.chown(self.ledgers, nobody, nobody)
        names = [os.path.join(self.scratch, os.path.basename(path))
                 for path in (harness.SHIM,
                              harness.program("exit_scan_cases"))]
        self.assert_finds_it(self.scan_of(
            [names[1], "threads", "5"], preload=[names[0]], user=nobody,
            group=nobody, extra_groups=[]))

    def test_over_other_allocators(self):
        for name in ("libjemalloc.so.2", "libmimalloc.so.2.0",
                     "libtcmalloc_minimal.so.4"):
            path = f"/usr/lib/x86_64-linux-gnu/{name}"
            if not os.path.exists(path):
                continue
            with self.subTest(allocator=name):
                scan = self.scan_of(
                    [harness.program("exit_scan_cases"), "threads", "5"],
                    preload=[harness.SHIM, path])
                self.assertEqual(scan["state"], "complete")
                found = by_function(scan, ["Lose", "main", "Hold"])
                # jemalloc's memory for itself cannot be told from the
                # program's, and may hold old addresses: no leak is shown that
                # is none, but one may be missed.
                self.assertIn(found.pop("Lose", None),
                              ([11, 1, 0, 0], None if "jemalloc" in name
                               else [11, 1, 0, 0]))
                self.assertTrue({"main", "Hold"}.isdisjoint(found), found)


@scenario(50)
class LsanInterfaceTest(ScanTest):
    """What the program itself says is no leak."""

    def lost(self, how, env=None):
        scan = self.scan_of([harness.program("lsan_interface"), how], env=env)
        self.assertEqual(scan["state"], "complete")
        return by_function(scan, ["Lost", "Excused"])

    def test_what_is_allocated_while_it_is_off(self):
        for how in ("disabled", "nested"):
            with self.subTest(how=how):
                self.assertEqual(self.lost(how), {"Lost": [55, 5, 0, 0]})

    def test_a_block_and_what_it_points_to(self):
        self.assertEqual(self.lost("object"), {"Lost": [55, 5, 0, 0]})

    def test_for_the_calling_thread_alone(self):
        self.assertEqual(self.lost("thread"), {"Lost": [66, 6, 0, 0]})

    def test_with_adaptive_stacks(self):
        self.assertEqual(self.lost("disabled", harness.MODES["adaptive"]),
                         {"Lost": [55, 5, 0, 0]})

    def test_counts_are_as_without(self):
        done = self.run_command([harness.program("lsan_interface")], env=SCAN)
        report = self.only_report(done.pid)
        live = self.live_by_function(report, ["Lost", "Excused"])
        self.assertEqual(live["Excused"], [450, 10])
        self.assertEqual(live["Lost"], [55, 5])

    def test_absent_without_us(self):
        done = self.run_command([harness.program("lsan_interface")],
                                preload=False)
        self.assertEqual(done.out.strip(), b"no interface")

    @scenario(9)
    def test_a_program_with_a_sanitizer_of_its_own(self):
        output = os.path.join(self.scratch, "sanitized")
        with open(output + ".c", "w", encoding="utf-8") as file:
            file.write("""
#include <stdlib.h>
void __lsan_ignore_object(const void*);
void __lsan_disable(void);
void __lsan_enable(void);
int main(void) {
  __lsan_disable(); void* volatile a = malloc(7); a = NULL; __lsan_enable();
  void* volatile b = malloc(8); __lsan_ignore_object(b); b = NULL;
  return a != b;
}
""")
        for compiler in (["gcc", "-fsanitize=leak"],
                         ["clang", "-fsanitize=leak"]):
            if shutil.which(compiler[0]) is None:
                continue
            with self.subTest(compiler=compiler):
                subprocess.run([*compiler, "-g", output + ".c", "-o", output],
                               check=True)
                done = self.run_command([output], env=SCAN)
                # Its own runtime still hears what it is told.
                self.assertEqual(done.status, 0, done.err)
                self.assertEqual(self.ledger_files(done.pid), [])


class FamiliesTest(BuiltTest):
    """A sample of the families; scripts/leak-table runs them all."""

    EVERY = 37

    @scenario(43, 45)
    def test_a_sample(self):
        names = [name for name, *_ in families.PROGRAMS]
        self.assertEqual(len(names), len(set(names)))
        leaking = sum(bool(losses) for _, _, losses, _ in families.PROGRAMS)
        self.assertGreaterEqual(leaking, 300)
        self.assertGreaterEqual(len(names) - leaking, 300)
        self.plugin = "none"
        for i, (name, language, losses, source) in enumerate(
                families.PROGRAMS):
            # An odd step takes both directions in turn.
            if i % self.EVERY:
                continue
            for level in LEVELS:
                with self.subTest(program=name, level=level):
                    self.build(source, language,
                               os.path.join(self.scratch, name), [level])
                    self.check(name, losses, level)


@scenario(51)
class SteadyTest(ScanTest):
    """The same verdict, callsite and bytes every time, beside other work."""

    RUNS = int(os.environ.get("HEAPLEDGER_STEADY_RUNS", "40"))

    def test_every_run_says_the_same(self):
        program = harness.program("exit_scan_cases")
        for leaks in (True, False):
            for i in range(self.RUNS):
                scan = self.scan_of([program, "threads" if leaks else "steady",
                                     "8"])
                self.assertEqual((scan["state"], scan["threads"]),
                                 ("complete", 8), (leaks, i))
                self.assertEqual([scan[name] for name in COUNTS],
                                 [11, 1, 0, 0] if leaks else [0, 0, 0, 0],
                                 (leaks, i))
                if leaks:
                    leak, = scan["leaks"]
                    self.assertIn("Lose", leak["stack"])
                for path in self.ledger_files():
                    os.unlink(path)


class RealProgramsTest(ScanTest):

    CLEAN = {
        "bash": ["-c", "x=(1 2 3); for i in ${x[@]}; do echo $i; done"],
        "sqlite3": [":memory:", "create table t(a); insert into t values(1);"
                    "select * from t;"],
        "python3": ["-c", "pass"],
        "git": ["--version"],
        "ls": ["-l", "/"],
        "sed": ["-n", "p", "/etc/passwd"],
    }

    def scan_program(self, name, arguments):
        path = shutil.which(name, path="/usr/bin:/bin")
        if path is None:
            self.skipTest(f"{name} is not installed")
        return self.scan_of([path, *arguments])

    def test_clean_programs(self):
        for name, arguments in self.CLEAN.items():
            with self.subTest(program=name):
                scan = self.scan_program(name, arguments)
                self.assertEqual(scan["state"], "complete")
                self.assertGreater(scan["blocks"], 0)
                self.assertEqual(scan["leaks"], [])

    def test_perl_frees_its_interpreter_but_not_what_it_holds(self):
        # perl_free() without a full perl_destruct(), as always at exit.
        scan = self.scan_program("perl", ["-e", "1"])
        self.assertEqual(scan["state"], "complete")
        for leak in scan["leaks"]:
            self.assertTrue(any(name.startswith(("perl_", "Perl_"))
                                for name in leak["stack"]), leak)


if __name__ == "__main__":
    unittest.main()
