# SPDX-License-Identifier: Apache-2.0
"""`heapledger doctor` names what keeps a program from being measured.

Real programs of every kind, and real surroundings; each with its remedy.
Scenarios 6, 8 and 9 (what cannot be instrumented), 35 (shared memory), 38
(seccomp from before the start), 59 (why the tool itself does nothing).
"""

import json
import os
import resource
import shutil
import subprocess
import unittest

import harness
import kinds
from harness import program
from scenarios import scenario

NOT_MEASURED = 3
MADVISE, FTRUNCATE = "28", "77"


class DoctorTest(harness.ShimTest):

    def doctor(self, *words, before=(), cli=harness.CLI, directory=True,
               **environment):
        """Status, and name -> checks of that name."""
        if directory:
            environment["HEAPLEDGER_DIR"] = self.ledgers
        done = self.run_command([*before, cli, "doctor", "--json", *words],
                                preload=False, env=environment)
        if done.status == 77:
            self.skipTest(f"no right to do that: {done.err}")
        checks = {}
        for check in json.loads(done.out)["checks"]:
            checks.setdefault(check["name"], []).append(check)
        return done.status, checks

    def find(self, checks, name, verdict, text):
        found = [check for check in checks.get(name, [])
                 if check["verdict"] == verdict and text in check["text"]]
        self.assertEqual(len(found), 1, checks)
        return found[0]

    def in_namespace(self, setup, *words, **kwargs):
        script = ("mount --make-rprivate / || exit 77; " + setup +
                  "; exec \"$@\"")
        return self.doctor(*words, before=("unshare", "-m", "sh", "-c", script,
                                           "sh"), **kwargs)

    @scenario(6, 8, 9)
    def test_every_kind_has_its_remedy(self):
        built = 0
        for kind in kinds.KINDS:
            path = kinds.build(kind, self.scratch)
            if path is None:
                continue
            built += 1
            with self.subTest(kind=kind.name):
                status, checks = self.doctor("--", path)
                self.assertEqual(status, NOT_MEASURED)
                check = self.find(checks, "program", "bad", kind.doctor)
                self.assertIn(kind.remedy, check["remedy"])
        self.assertGreaterEqual(built, 6)

    @scenario(8)
    def test_what_can_be_measured_is_good(self):
        status, checks = self.doctor("--", program("worker"))
        self.assertEqual(status, 0, checks)
        self.find(checks, "program", "ok", "can be measured")
        self.find(checks, "probe", "ok", "was measured")
        self.assertNotIn("symbols", checks)
        self.assertEqual(os.listdir(self.ledgers), [])

    @scenario(8)
    def test_sentences_end_with_what_to_do(self):
        done = self.run_command(
            [harness.CLI, "doctor", "--", program("gate_static")],
            preload=False, env={"HEAPLEDGER_DIR": self.ledgers})
        self.assertEqual(done.status, NOT_MEASURED)
        self.assertIn(b"bad   program: it is linked statically: nothing can be "
                      b"preloaded into it; link it dynamically\n", done.out)

    @scenario(8)
    def test_without_debug_information(self):
        path = os.path.join(self.scratch, "stripped")
        subprocess.run(["strip", "-o", path, program("worker")], check=True)
        status, checks = self.doctor("--", path)
        self.assertEqual(status, 0)
        check = self.find(checks, "symbols", "note", "no debug information")
        self.assertIn("build with -g", check["remedy"])

    @scenario(6)
    def test_an_allocator_of_its_own_beside_libcs(self):
        source = os.path.join(self.scratch, "private.c")
        with open(source, "w", encoding="ascii") as file:
            file.write("void* _rjem_malloc(unsigned long n) { return 0; }\n"
                       "int main(void) { return _rjem_malloc(0) != 0; }\n")
        path = os.path.join(self.scratch, "private")
        subprocess.run(["gcc", source, "-o", path], check=True)
        status, checks = self.doctor("--", path)
        self.assertEqual(status, 0)
        self.find(checks, "program", "note", "only its own code calls")

    @scenario(5)
    def test_other_preloads(self):
        jemalloc = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
        status, checks = self.doctor(LD_PRELOAD=jemalloc)
        self.assertEqual(status, 0)
        check = self.find(checks, "other preload", "note", jemalloc)
        self.assertIn("a malloc of its own", check["text"])
        self.assertIn("keep the shim before it", check["remedy"])
        status, checks = self.doctor(LD_PRELOAD="/nowhere/at/all.so")
        self.find(checks, "other preload", "note", "cannot be loaded")

    @scenario(35)
    def test_a_tiny_shared_memory(self):
        status, checks = self.in_namespace(
            "mount -t tmpfs -o size=1m none /dev/shm", directory=False)
        check = self.find(checks, "/dev/shm", "note", "free of 1.0 MiB")
        self.assertIn("--shm-size", check["remedy"])
        self.assertIn(status, (0, NOT_MEASURED))

    @scenario(35)
    def test_no_room_anywhere(self):
        status, checks = self.in_namespace(
            "mount -t tmpfs -o size=64k none /dev/shm; "
            "mount -t tmpfs -o size=64k none /var/tmp", directory=False)
        self.assertEqual(status, NOT_MEASURED)
        self.find(checks, "probe", "bad", "was not measured here")

    @scenario(35)
    def test_a_ledger_directory_without_exec_does_no_harm(self):
        status, checks = self.in_namespace(
            "mount -t tmpfs -o noexec none /dev/shm", directory=False)
        self.assertEqual(status, 0)
        self.find(checks, "/dev/shm", "ok", "noexec, which does no harm")

    @scenario(59)
    def test_a_shim_that_may_not_be_mapped(self):
        bin_, lib = (os.path.join(self.scratch, name) for name in ("bin",
                                                                   "lib"))
        os.mkdir(bin_)
        os.mkdir(lib)
        cli = shutil.copy(harness.CLI, bin_)
        status, checks = self.in_namespace(
            f"mount -t tmpfs -o noexec none {lib} && cp {harness.SHIM} {lib} "
            "|| exit 77", cli=cli)
        self.assertEqual(status, NOT_MEASURED)
        check = self.find(checks, "shim", "bad", "mounted noexec")
        self.assertIn("copy it", check["remedy"])
        check = self.find(checks, "probe", "bad", "as the loader says")

    @scenario(38, 59)
    def test_a_filter_from_before_the_start(self):
        for number, measured in ((MADVISE, False), (FTRUNCATE, False),
                                 ("439", True)):
            with self.subTest(refused=number):
                status, checks = self.doctor(
                    before=(program("filtered"), number))
                self.find(checks, "seccomp", "note", "in force from the start")
                self.find(checks, "probe", "ok" if measured else "bad",
                          "measured here")
                self.assertEqual(status, 0 if measured else NOT_MEASURED)

    @scenario(36)
    def test_limits(self):
        def lower():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        done = self.run_command([harness.CLI, "doctor"], preload=False,
                                env={"HEAPLEDGER_DIR": self.ledgers},
                                preexec_fn=lower)
        self.assertEqual(done.status, NOT_MEASURED)
        self.assertIn(b"file size limit: 4.0 KiB, and 1.0 MiB are needed; "
                      b"raise it: ulimit -f unlimited", done.out)


if __name__ == "__main__":
    unittest.main()
