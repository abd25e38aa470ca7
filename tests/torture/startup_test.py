# SPDX-License-Identifier: Apache-2.0
"""The first moments of a process, and what it says of itself.

Scenarios 1 (dlsym), 2 (thread-local storage), 3 (first call), 4 (environment), 5 (another preload), 6
(own malloc), 33 (descriptors), 34 (output).
"""

import glob
import os
import shutil
import subprocess
import unittest

import harness
from harness import program
from scenarios import scenario
from torture import SUMS, TortureTest

ENTRY_POINTS = ("malloc", "calloc", "realloc", "reallocarray",
                "posix_memalign", "aligned_alloc", "memalign", "valloc",
                "pvalloc", "free", "usable", "strdup", "new", "new_nothrow",
                "new_aligned", "new_aligned_nothrow")
ALLOCATORS = ("libjemalloc.so.2", "libtcmalloc_minimal.so.4",
              "libmimalloc.so.2.0")
OWN_ALLOCATOR = 3
DISABLED = 1

# Whatever these say, the program is unharmed; measured, too, but where a
# directory is named that cannot be had or where somebody asked for it.
SETTINGS = [
    {name: value}
    for name in ("HEAPLEDGER_STACK", "HEAPLEDGER_MAX_DEPTH",
                 "HEAPLEDGER_LEDGER_BYTES", "HEAPLEDGER_FOLLOW",
                 "HEAPLEDGER_ROOT_PID", "HEAPLEDGER_DISABLE",
                 "HEAPLEDGER_UNKNOWN", "HEAPLEDGER_")
    for value in ("", "0", "-1", "99999999999999999999999", "x" * 100000,
                  "\udcff\udcfe\udc80", "caller,full", "all,none")
] + [
    {"HEAPLEDGER_STACK": "frame-pointer", "HEAPLEDGER_MAX_DEPTH": "1"},
    {"HEAPLEDGER_FOLLOW": "none", "HEAPLEDGER_ROOT_PID": "1"},
]
DIRECTORIES = ["", "relative", "/nowhere/at/all", "/proc/self", "/dev/null",
               "/" + "d" * 5000, "/dev/shm/\udcff/x", "/etc/passwd"]


class StartupTest(TortureTest):

    @scenario(3)
    def test_3_each_entry_point_as_the_first_call(self):
        for name in ENTRY_POINTS:
            with self.subTest(entry_point=name):
                self.check_known([program("first_call"), name])

    @scenario(3, 1)
    def test_3_before_any_other_constructor(self):
        library = program("libearly_library.so")
        for preload in ([harness.SHIM, library], [library, harness.SHIM]):
            with self.subTest(preload=preload):
                self.check_known([program("worker"), "hold", "churn"],
                                 preload=preload, bare_preload=[library])
        self.check_known([program("early_user"), "hold"])

    @scenario(3)
    def test_3_in_an_ifunc_resolver(self):
        for how in ("resolver_user", "resolver_inside"):
            with self.subTest(program=how):
                self.check_known([program(how)])

    @scenario(1, 5)
    def test_1_5_beside_a_preload_that_calls_dlsym(self):
        library = program("libwrapping_preload.so")
        for preload in ([harness.SHIM, library], [library, harness.SHIM]):
            with self.subTest(preload=preload):
                self.check_known(
                    [program("worker"), "hold", "threads", "open"],
                    preload=preload, bare_preload=[library])
                self.assertEqual(self.off_markers(), {})

    @scenario(2, 10)
    def test_2_10_beside_an_auditor(self):
        audit = {"LD_AUDIT": program("libauditor.so")}
        self.check_known([program("worker"), "hold", "churn", "threads"],
                         env=audit)

    @scenario(2)
    def test_2_among_many_libraries_with_storage(self):
        for i in range(500):
            shutil.copy(program("libtls_library.so"),
                        os.path.join(self.scratch, f"{i}.so"))
        self.check_known([program("tls_loader"), "all", self.scratch])

    @scenario(2)
    def test_2_loaded_late(self):
        # Nothing comes to it but what is handed to it, and no harm is done.
        done = self.run_command([program("tls_loader"), "late", harness.SHIM],
                                preload=False,
                                env={"HEAPLEDGER_DIR": self.ledgers,
                                     **harness.MODES[self.mode]})
        self.assertEqual((done.status, done.err), (0, b""))
        self.assertIn(done.out.splitlines()[0], (b"refused", b"loaded late"))
        self.assertIn(b"Held 1000 10", done.out)
        for path in self.ledger_files(done.pid):
            self.assertEqual(self.sums_of(self.report(path), "Held"),
                             dict.fromkeys(SUMS, 0))

    @scenario(5)
    def test_5_programs_linked_with_another_allocator(self):
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                              "programs/worker.c")
        for allocator in ALLOCATORS:
            with self.subTest(allocator=allocator):
                path = os.path.join(self.scratch, allocator + ".user")
                subprocess.run(
                    ["gcc", "-O2", "-g", "-w", "-fno-builtin", source,
                     "-pthread", "-Wl,--no-as-needed",
                     f"-l:{allocator}", "-o", path], check=True, timeout=60)
                self.check_known([path, "hold", "churn", "threads", "large",
                                  "fork"])

    @scenario(5)
    def test_5_another_allocator_preloaded_in_either_order(self):
        command = [program("worker"), "hold", "churn", "threads"]
        for allocator in ALLOCATORS:
            with self.subTest(allocator=allocator):
                first = self.check_known(
                    command, preload=[harness.SHIM, allocator],
                    bare_preload=[allocator])
                self.assertEqual(self.off_markers(), {})
                # It passes nothing on: nothing is measured, and that is said.
                bare = self.run_command(command, preload=[allocator])
                done = self.run_command(command,
                                        preload=[allocator, harness.SHIM])
                self.assertEqual((bare.status, bare.out, bare.err),
                                 (done.status, done.out, done.err))
                self.assertEqual(self.ledger_files(done.pid), [])
                self.assertEqual(self.off_reasons(done.pid), [OWN_ALLOCATOR])
                self.assertEqual(first["process"]["state"], "exited")
                for name in self.off_markers():
                    os.unlink(os.path.join(self.ledgers, name))

    @scenario(4)
    def test_4_settings(self):
        command = [program("worker"), "hold", "churn"]
        bare = self.run_command(command, preload=False)
        for setting in SETTINGS:
            if sum(map(len, setting.values())) > 90000:
                label = "long"
            else:
                label = ascii(setting)
            with self.subTest(setting=label):
                done = self.run_command(command, env=setting)
                self.assertEqual((bare.status, bare.out, bare.err),
                                 (done.status, done.out, done.err))
        # None stopped the accounts but the two that say so.
        files = len(self.ledger_files())
        self.assertEqual(files + len(self.off_markers()), len(SETTINGS))
        self.assertGreater(files, len(SETTINGS) // 2)

    @scenario(4)
    def test_4_directories(self):
        command = [program("worker"), "hold", "churn", "threads"]
        bare = self.run_command(command, preload=False)
        for directory in DIRECTORIES:
            with self.subTest(directory=ascii(directory[:30])):
                done = self.run_command(command,
                                        env={"HEAPLEDGER_DIR": directory})
                # Some of them stand for the default directory.
                for path in glob.glob(f"/dev/shm/heapledger-*/{done.pid}-*"):
                    os.unlink(path)
                self.assertEqual((bare.status, bare.out, bare.err),
                                 (done.status, done.out, done.err))

    @scenario(4)
    def test_4_no_environment_at_all(self):
        # The loader still finds the shim when it is told by name.
        loader = "/lib64/ld-linux-x86-64.so.2"
        done = subprocess.run(
            [loader, "--preload", harness.SHIM, program("worker"), "hold"],
            env={}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(self.expected(done.stdout)["Held"], [1000, 10])

    @scenario(6)
    def test_6_a_program_with_its_own_malloc(self):
        done = self.run_both([program("own_malloc")])
        self.assertEqual(done.status, 0)
        self.assertEqual(self.ledger_files(done.pid), [])
        self.assertEqual(self.off_reasons(done.pid), [OWN_ALLOCATOR])

    @scenario(33)
    def test_33_descriptors(self):
        self.check_known([program("worker"), "open", "hold"])
        # The program closes all there is, and goes on.
        command = [program("worker"), "hold", "closefrom", "churn", "threads",
                   "wide", "open"]
        done = self.run_both(command)
        self.assertEqual(done.status, 0)
        report = self.only_report(done.pid)
        self.assertEqual(self.live_by_function(report, ["Held", "Wide"]),
                         {"Held": [1000, 10], "Wide": [4096 * 64, 4096]})

    @scenario(34)
    def test_34_errno(self):
        done = self.run_both([program("worker"), "errno"])
        self.assertIn(b"errno kept", done.out)

    @scenario(33)
    def test_33_no_descriptors_at_the_start(self):
        script = "exec 0<&- 1>&- 2>&-; exec \"$0\" hold wide open"
        done = self.run_both(["/bin/sh", "-c", script, program("worker")])
        self.assertEqual((done.status, done.out, done.err), (0, b"", b""))
        report = self.report(f"{self.ledgers}/{self.current(done.pid)}")
        self.assertEqual(self.live_by_function(report, ["Held"]),
                         {"Held": [1000, 10]})

    def current(self, pid):
        [name] = [name for name in os.listdir(self.ledgers)
                  if name.startswith(f"{pid}-") and name.count(".") == 1]
        return name


if __name__ == "__main__":
    unittest.main()
