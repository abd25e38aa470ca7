# SPDX-License-Identifier: Apache-2.0
"""Hostile surroundings: the program runs on, measured or with a reason.

Scenarios 35 (shared memory), 36 (limits), 38 (seccomp), 39 (privileges
dropped), 40 (AT_SECURE), 41 (pid namespaces), 54 (a ledger scribbled over).
"""

import glob
import json
import os
import random
import resource
import shutil
import subprocess
import time
import unittest

import harness
from harness import program
from scenarios import scenario
from torture import SUMS, TortureTest

ADDRESS_SPACE = 8
FILE_SIZE_LIMIT = 9
NO_ROOM = (5, 6, 7)

# Runs in a mount namespace of its own. $1: what to do first; $2: directory for
# results; the rest: the command, preloaded into. Ledgers are copied out.
IN_NAMESPACE = r"""
setup=$1; results=$2; shift 2
mount --make-rprivate / || exit 77
mount -t tmpfs -o size=64m none /var/tmp || exit 77
eval "$setup" || exit 77
LD_PRELOAD=$SHIM "$@" >"$results/out" 2>"$results/err"
echo $? >"$results/status"
for directory in /dev/shm/heapledger-* /var/tmp/heapledger-*; do
  [ -d "$directory" ] || continue
  echo "$directory" >>"$results/directories"
  for file in "$directory"/*; do
    [ -L "$file" ] && readlink "$file" >>"$results/reasons"
    [ -f "$file" ] || continue
    $CLI report "$file" --json --limit 0 >"$results/${file##*/}.json" \
      2>>"$results/refused" || rm "$results/${file##*/}.json"
  done
done
exit 0
"""
SMALL = "mount -t tmpfs -o size=%s none /dev/shm"
FILL = "{ head -c 100m /dev/zero > %s/filler; true; } 2>/dev/null"


class SurroundingsTest(TortureTest):

    def in_namespace(self, setup, command):
        """Runs in a mount namespace; returns a dict of what came of it."""
        results = os.path.join(self.scratch, "results")
        shutil.rmtree(results, ignore_errors=True)
        os.mkdir(results)
        environment = self.environment(False, SHIM=harness.SHIM,
                                       CLI=harness.CLI,
                                       **harness.MODES[self.mode])
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", IN_NAMESPACE, "sh", setup, results,
             *command], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        if done.returncode != 0:
            self.skipTest(f"no mount namespace: {done.stderr}")
        found = {"reports": []}
        for name in ("out", "err", "status", "directories", "reasons",
                     "refused"):
            path = os.path.join(results, name)
            found[name] = b""
            if os.path.exists(path):
                with open(path, "rb") as file:
                    found[name] = file.read()
        self.assertEqual(found["refused"], b"", found["refused"])
        for path in glob.glob(os.path.join(results, "*.json")):
            with open(path, encoding="utf-8") as file:
                report = json.load(file)
            self.check_sums(report)
            found["reports"].append(self.in_mode(report))
        return found

    def check_in_namespace(self, setup, steps, measured):
        command = [program("worker"), *steps]
        bare = self.run_command(command, preload=False)
        found = self.in_namespace(setup, command)
        self.assertEqual((bare.out, bare.err), (found["out"], found["err"]))
        self.assertEqual(int(found["status"]), bare.status)
        if measured:
            [report] = found["reports"]
            self.check_live(report, found["out"])
        else:
            self.assertEqual(found["reports"], [])
        return found

    @scenario(35, 53)
    def test_35_shared_memory_in_every_state(self):
        steps = ["hold", "churn", "threads", "open"]
        no_fallback = "mount -t tmpfs -o ro,size=1m none /var/tmp"
        full = SMALL % "1m" + "; " + FILL % "/dev/shm"
        absent = ("mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 &&"
                  " mknod -m 666 /dev/zero c 1 5")
        for name, setup, measured in (
                ("one megabyte", SMALL % "1m", True),
                ("64 KiB", SMALL % "64k", True),
                ("full", full, True),
                ("read-only", SMALL % "1m,ro", True),
                ("absent", absent, True),
                ("a file", "mount -t tmpfs none /dev/shm; touch "
                 "/dev/shm/heapledger-0", True),
                ("a stranger's", "mount -t tmpfs none /dev/shm; mkdir -m 777 "
                 "/dev/shm/heapledger-0; chown 65534 /dev/shm/heapledger-0",
                 True),
                ("one megabyte, no fallback",
                 SMALL % "1m" + "; " + no_fallback, False),
                ("eight megabytes, no fallback",
                 SMALL % "8m" + "; " + no_fallback, True),
                ("full, no fallback", full + "; " + no_fallback, False),
                ("absent, no fallback", absent + "; " + no_fallback, False)):
            with self.subTest(shared_memory=name):
                found = self.check_in_namespace(setup, steps, measured)
                if not measured and not name.startswith("absent"):
                    self.assertIn(int(found["reasons"]), NO_ROOM)
                elif not measured:
                    self.assertEqual(found["directories"], b"")

    @scenario(35)
    def test_35_shared_memory_fills_while_the_program_runs(self):
        steps = ["hold", "wide", "churn", "fork", "threads"]
        plain = self.check_known([program("worker"), *steps])
        # What the program waits for comes when there is no room any more.
        script = ("mkfifo $R/gate; { sleep 0.5; " + FILL % "/dev/shm" +
                  "; echo > $R/gate; } & exec \"$0\" hold wait wide churn "
                  "fork threads 0<>$R/gate").replace("$R", self.scratch)
        found = self.in_namespace(
            SMALL % "8m", ["env", "-u", "LD_PRELOAD", "sh", "-c",
                           "LD_PRELOAD=$SHIM; export LD_PRELOAD; " + script.
                           replace("exec \"$0\"", "exec " +
                                   program("worker"))])
        self.assertEqual(found["status"], b"0\n", found["err"])
        self.assertEqual(found["err"], b"")
        # The child is measured where there is room: in the other directory.
        parent, child = sorted(
            (report for report in found["reports"]
             if report["process"]["program"] == "worker"),
            key=lambda report: report["process"].get("parent_pid", 0))
        self.check_overflow(parent, plain)
        self.assertEqual(child["process"]["parent_pid"],
                         parent["process"]["pid"])
        self.assertEqual(self.sums_of(child, "Held"), {
            **dict.fromkeys(SUMS, 0), "live_bytes": 2000, "live_objects": 20,
            "allocated_bytes": 1000, "allocations": 10,
            "inherited_bytes": 1000, "inherited_objects": 10})

    def check_overflow(self, report, plain):
        """No room for callsites, and still the totals are those of `plain`."""
        self.assertGreater(report["degraded"]["ledger_full"], 0)
        for name in ("allocations", "allocated_bytes", "live_bytes",
                     "live_objects"):
            self.assertEqual(report["totals"][name], plain["totals"][name],
                             name)
        self.assertEqual(self.live_by_function(report, ["Held"]),
                         {"Held": [1000, 10]})
        [overflow] = [site for site in report["callsites"]
                      if not site["stack"]]
        self.assertGreater(overflow["live_objects"], 1000)

    @scenario(35)
    def test_35_a_child_of_an_unmeasured_process(self):
        done = self.run_both([program("worker"), "hold", "fork", "churn"],
                             env={"HEAPLEDGER_LEDGER_BYTES": "x",
                                  "HEAPLEDGER_DIR": "/nowhere/at/all"})
        self.assertEqual(done.status, 0)
        self.assertEqual(self.ledger_files(), [])

    @scenario(16)
    def test_16_a_ledger_of_the_smallest_size(self):
        steps = ["hold", "wider", "churn", "threads", "fork"]
        plain = self.check_known([program("worker"), *steps])
        done = self.run_both([program("worker"), *steps],
                             env={"HEAPLEDGER_LEDGER_BYTES": "1048576"})
        self.check_overflow(
            self.report(self.ledger_files(done.pid)[-1]), plain)

    @scenario(36)
    def test_36_limits(self):
        cases = {
            "address space 64 MiB": (
                resource.RLIMIT_AS, 64 << 20, ADDRESS_SPACE),
            "address space 512 MiB": (
                resource.RLIMIT_AS, 512 << 20, ADDRESS_SPACE),
            "address space 8 GiB": (resource.RLIMIT_AS, 8 << 30, None),
            "file size 0": (resource.RLIMIT_FSIZE, 0, FILE_SIZE_LIMIT),
            "file size 4096": (resource.RLIMIT_FSIZE, 4096, FILE_SIZE_LIMIT),
            "file size 1 MiB": (resource.RLIMIT_FSIZE, 1 << 20, None),
            "descriptors 4": (resource.RLIMIT_NOFILE, 4, None),
            "processes 1": (resource.RLIMIT_NPROC, 1, None),
            "locked memory 0": (resource.RLIMIT_MEMLOCK, 0, None),
            "core 0": (resource.RLIMIT_CORE, 0, None),
            "stack 512 KiB": (resource.RLIMIT_STACK, 512 << 10, None),
            "stack unlimited": (resource.RLIMIT_STACK,
                                resource.RLIM_INFINITY, None),
            "data 1 GiB": (resource.RLIMIT_DATA, 1 << 30, None),
        }
        command = [program("worker"), "hold", "churn", "threads", "large",
                   "wide", "errno"]
        for name, (what, limit, reason) in cases.items():
            with self.subTest(limit=name):
                def lower(what=what, limit=limit):
                    resource.setrlimit(what, (limit, limit))
                done = self.run_both(command, preexec_fn=lower)
                self.assertEqual(done.status, 0)
                if reason is None:
                    report = self.only_report(done.pid)
                    self.check_live(report, done.out)
                else:
                    self.assertEqual(self.ledger_files(done.pid), [])
                    self.assertEqual(self.off_reasons(done.pid), [reason])

    @scenario(36)
    def test_36_too_few_descriptors_to_load_anything(self):
        for limit in (0, 3):
            def lower(limit=limit):
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            command = [program("worker"), "hold"]
            bare = self.run_command(command, preload=False, preexec_fn=lower)
            done = self.run_command(command, preexec_fn=lower)
            self.assertEqual((bare.status, bare.out), (done.status, done.out))

    @scenario(36)
    def test_36_limits_that_the_program_sets_itself(self):
        self.check_known([program("worker"), "hold", "fsize", "wide", "churn"])
        command = [program("worker"), "hold", "as", "wide", "churn", "fork",
                   "errno"]
        done = self.run_both(command)
        report = self.only_report(done.pid)
        self.assertGreaterEqual(report["totals"]["live_objects"], 4106)
        self.assertEqual(self.live_by_function(report, ["Held"]),
                         {"Held": [1000, 10]})

    @scenario(38)
    def test_38_strict_seccomp_with_a_warm_heap(self):
        self.check_known([program("worker"), "hold", "churn", "say", "strict",
                          "churn", "hold"], state="killed")

    @scenario(38)
    def test_38_a_filter_that_refuses_growth(self):
        plain = self.check_known([program("worker"), "hold", "say", "wide",
                                  "churn"])
        done = self.run_both([program("worker"), "hold", "say", "filter",
                              "wide", "churn"])
        self.assertEqual(done.status, 0)
        report = self.only_report(done.pid)
        self.assertEqual(report["process"]["state"], "exited")
        self.check_overflow(report, plain)

    @scenario(38)
    def test_38_a_filter_that_kills(self):
        # Samples: the first one comes when the filter is there already.
        env = {"HEAPLEDGER_SAMPLE_BYTES": "50000"}
        report = self.check_known([program("worker"), "hold", "killing",
                                   "wide", "churn", "threads", "large"],
                                  env=env)
        self.assertEqual(report["degraded"].get("ledger_full", 0), 0)

    @scenario(39)
    def test_39_privileges_dropped_after_the_start(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        for step in ("drop", "chroot"):
            with self.subTest(step=step):
                report = self.check_known(
                    [program("worker"), "hold", step, "churn", "wide", "hold",
                     "fork"], cwd=self.scratch)
                self.assertEqual(
                    self.live_by_function(report, ["Held"])["Held"],
                    [2000, 20])

    @scenario(40)
    def test_40_privileged_programs_are_left_alone(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        os.chmod(self.scratch, 0o755)
        # The shim is found where the loader trusts it, by every program.
        setup = ("mount -t tmpfs none /mnt && cp -a /etc /mnt/etc && "
                 "mount --bind /mnt/etc /etc && mkdir -m 755 /mnt/bin && "
                 f"cp {program('worker')} /mnt/bin/plain && "
                 f"cp {program('worker')} /mnt/bin/raised && "
                 f"cp {harness.SHIM} /mnt/bin/shim.so && "
                 "chmod 755 /mnt/bin/* && chmod u+s /mnt/bin/raised && "
                 "mount -t tmpfs -o mode=1777 none /dev/shm && "
                 "echo /mnt/bin/shim.so > /etc/ld.so.preload && SHIM=")
        bare = self.run_command([program("worker"), "hold", "churn"],
                                preload=False)
        for name, measured in (("plain", True), ("raised", False)):
            with self.subTest(program=name):
                found = self.in_namespace(
                    setup, ["setpriv", "--reuid", "65534", "--regid", "65534",
                            "--clear-groups", f"/mnt/bin/{name}", "hold",
                            "churn"])
                self.assertEqual(found["status"], b"0\n", found["err"])
                self.assertEqual((bare.out, bare.err),
                                 (found["out"], found["err"]))
                programs = {report["process"]["program"]
                            for report in found["reports"]}
                self.assertEqual(name in programs, measured)
                self.assertEqual(found["reasons"], b"")

    @scenario(41)
    def test_41_the_first_process_of_a_pid_namespace(self):
        command = [program("worker"), "hold", "fork", "wide"]
        bare = self.run_command(command, preload=False)
        done = self.run_command(
            ["unshare", "-pf", "--mount-proc", "env",
             f"LD_PRELOAD={harness.SHIM}", f"HEAPLEDGER_DIR={self.ledgers}",
             *command], preload=False, env=harness.MODES[self.mode])
        if done.status != 0 and b"unshare" in done.err:
            self.skipTest("no right to make a pid namespace")
        self.assertEqual((bare.status, bare.out), (done.status, done.out))
        report = self.only_report(1)
        self.check_live(report, done.out)
        self.assertEqual(report["process"]["pid"], 1)

    @scenario(54, 59)
    def test_54_a_ledger_scribbled_over(self):
        steps = ["hold", "wait", "wide", "churn", "threads", "hold"]
        bare = self.run_command([program("worker"), *steps], preload=False)
        for seed in range(8):
            with self.subTest(seed=seed):
                process = self.start([program("worker"), *steps],
                                     stdin=subprocess.PIPE)
                path = self.wait_for_ledger(process)
                self.scribble(path, seed)
                process.stdin.write(b"x")
                process.stdin.flush()
                done = self.finish(process)
                self.assertEqual((bare.status, bare.out, bare.err),
                                 (done.status, done.out, done.err))
                read = subprocess.run(
                    [harness.CLI, "report", path, "--json"],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    timeout=60, env=self.environment(False))
                self.assertGreaterEqual(read.returncode, 0, read.stderr)
                os.unlink(path)

    def wait_for_ledger(self, process):

        for _ in range(200):
            files = self.ledger_files(process.pid)
            if files:
                time.sleep(0.05)
                return files[0]
            time.sleep(0.02)
        process.kill()
        self.fail("no ledger")

    @staticmethod
    def scribble(path, seed):
        """Random bytes over what is in use; the size stays."""
        source = random.Random(seed)
        used = os.stat(path).st_blocks * 512 + 64 * 4096
        with open(path, "r+b") as file:
            if seed % 2 == 0:
                file.write(source.randbytes(used))
                return
            for _ in range(3000):
                file.seek(source.randrange(used))
                file.write(source.randbytes(8))


if __name__ == "__main__":
    unittest.main()
