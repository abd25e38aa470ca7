# SPDX-License-Identifier: Apache-2.0
"""The modes: what sampled estimates are worth, what dormant leaves out, and
whose stacks adaptive depth cuts."""

import json
import math
import os
import re
import select
import signal
import subprocess
import time
import unittest

import counted
import harness
from harness import program


class Estimates:
    """What sampling by bytes may say of known blocks: mean and variance.

    A block of s bytes is a sample with p = 1 - exp(-s / mean) and stands for
    1/p blocks, rounded to whole ones (and to whole bytes) by a fair coin.
    """

    def __init__(self, mean):
        self.mean = mean
        self.true = {}
        self.variance = {}

    def add(self, function, size, count):
        chance = -math.expm1(-size / self.mean)
        odds = (1 - chance) / chance
        true = self.true.setdefault(function, [0, 0])
        variance = self.variance.setdefault(function, [0.0, 0.0])
        weight = 1 / chance
        rest = weight - math.floor(weight)
        true[0] += size * count
        true[1] += count
        variance[0] += count * (size * size * odds + chance / 4)
        variance[1] += count * (odds + chance * rest * (1 - rest))

    @classmethod
    def of(cls, mean, out):
        """From lines "function size count"."""
        self = cls(mean)
        for line in out.decode().splitlines():
            function, size, count = line.split()
            self.add(function, int(size), int(count))
        return self

    def deviations(self, live):
        """(function, 0 for bytes or 1 for objects) -> in standard deviations.

        Of a function that is not sampled but certain, only the exact value
        will do.
        """
        found = {}
        for function, (true, variance) in self.both().items():
            seen = (live[function] if function else
                    [sum(sums[what] for sums in live.values())
                     for what in (0, 1)])
            for what in (0, 1):
                sigma = math.sqrt(variance[what])
                off = seen[what] - true[what]
                found[function, what] = (
                    off / sigma if sigma > 1e-3 else
                    0.0 if off == 0 else math.inf)
        return found

    def both(self):
        """function -> (true, variance), with "" for all of them."""
        every = {function: (self.true[function], self.variance[function])
                 for function in self.true}
        every[""] = tuple(
            [sum(sums[what] for sums in table.values()) for what in (0, 1)]
            for table in (self.true, self.variance))
        return every


class SampledTest(harness.ShimTest):
    MEAN = 100000

    def sampled(self, *steps, mean=MEAN, **env):
        return self.run_command(
            [program("sampled_mix"), *steps],
            env={"HEAPLEDGER_MODE": "sampled",
                 "HEAPLEDGER_SAMPLE_BYTES": str(mean), **env})

    def check_quiet(self, report):
        self.assertEqual(report["degraded"], {})
        self.assertEqual(report["process"]["mode"], "sampled")
        self.assertTrue(report["process"]["estimated"])

    def test_estimates_are_unbiased_and_as_near_as_theory_says(self):
        runs = []
        for run in range(16):
            done = self.sampled("threads" if run % 2 else "hold", "chains")
            self.assertEqual(done.status, 0, done.err)
            report = self.only_report(done.pid)
            self.check_quiet(report)
            self.assertEqual(report["process"]["sample_bytes"], self.MEAN)
            theory = Estimates.of(self.MEAN, done.out)
            runs.append(theory.deviations(
                self.live_by_function(report, theory.true)))
        for which in runs[0]:
            values = [run[which] for run in runs]
            spread = math.sqrt(sum(v * v for v in values) / len(values))
            shown(f"{which[0] or 'total':8} "
                  f"{('bytes', 'objects')[which[1]]:7} mean "
                  f"{sum(values) / len(values):+.2f} sigma, spread "
                  f"{spread:.2f}")
        for run in runs:
            for which, deviation in run.items():
                # 4 for the total; 5 where there are hundreds of them.
                self.assertLess(abs(deviation), 5 if which[0] else 4, which)
        for which in runs[0]:
            mean = sum(run[which] for run in runs) / len(runs)
            self.assertLess(abs(mean), 4 / math.sqrt(len(runs)), which)
        # All sites but those that are certain, of all runs: neither a drift
        # nor another spread than foretold.
        for what in (0, 1):
            every = [deviation for run in runs
                     for which, deviation in run.items()
                     if which[0] not in ("", "Huge") and which[1] == what]
            self.assertLess(abs(sum(every)), 4 * math.sqrt(len(every)))
            spread = sum(d * d for d in every) / len(every)
            self.assertTrue(0.55 < spread < 1.6, spread)

    def test_what_is_cumulative_is_estimated_as_well(self):
        sums = [0, 0]
        rounds = 12
        for _ in range(rounds):
            report = self.only_report(self.sampled("hold").pid)
            for site in report["callsites"]:
                if any(frame["function"] == "Thinned"
                       for frame in site["stack"]):
                    sums[0] += site["allocated_bytes"]
                    sums[1] += site["freed_bytes"]
        theory = Estimates(self.MEAN)
        theory.add("", 1000, 8000)
        for allocated, seen in ((True, sums[0]), (False, sums[1])):
            share = 1 if allocated else 0.5
            sigma = math.sqrt(theory.variance[""][0] * share * rounds)
            self.assertLess(abs(seen - 8000000 * share * rounds), 4 * sigma,
                            (sums, allocated))

    def test_nothing_is_live_when_everything_was_freed(self):
        for mean in (64, 1000, self.MEAN):
            for steps in (["hold", "chains", "free"],
                          ["threads", "chains", "other"],
                          ["hold", "other", "threads", "free"]):
                with self.subTest(mean=mean, steps=steps):
                    done = self.sampled(*steps, mean=mean)
                    report = self.only_report(done.pid)
                    self.check_quiet(report)
                    names = Estimates.of(mean, done.out).true
                    self.assertIn("Chained", names)
                    live = self.live_by_function(report, names)
                    self.assertEqual(live, {name: [0, 0] for name in names})
                    self.assertGreater(report["totals"]["frees"], 100000)

    def test_one_sample_a_byte_is_exact(self):
        done = self.sampled("hold", "chains", mean=1)
        report = self.only_report(done.pid)
        self.check_quiet(report)
        theory = Estimates.of(1, done.out)
        live = self.live_by_function(report, theory.true)
        exact = self.run_command([program("sampled_mix"), "hold", "chains"])
        self.assertEqual(done.out, exact.out)
        counts = self.live_by_function(self.only_report(exact.pid),
                                       theory.true)
        for name, true in theory.true.items():
            self.assertEqual(counts[name], true)
            if name not in ("Tiny", "Mixed"):  # they have small blocks
                self.assertEqual(live[name], true, name)
        for deviation in theory.deviations(live).values():
            self.assertLess(abs(deviation), 5)

    def test_children_inherit_what_the_parent_had(self):
        done = self.sampled("hold", "chains", "fork", mean=20000)
        self.assertEqual(done.status, 0, done.err)
        parent = self.only_report(done.pid)
        children = [self.report(path) for path in self.ledger_files()
                    if f"/{done.pid}-" not in path]
        self.assertEqual(len(children), 2)
        names = list(Estimates.of(1, done.out).true)
        held = self.live_by_function(parent, names)
        freed_all = 0
        for child in children:
            self.check_quiet(child)
            inherited = {name: [0, 0] for name in names}
            for site in child["callsites"]:
                for frame in site["stack"]:
                    if frame["function"] in inherited:
                        sums = inherited[frame["function"]]
                        sums[0] += site["inherited_bytes"]
                        sums[1] += site["inherited_objects"]
                        break
            self.assertEqual(inherited, held)
            live = self.live_by_function(child, names)
            if live == {name: [0, 0] for name in names}:
                freed_all += 1
            else:
                self.assertEqual(live, held)
        self.assertEqual(freed_all, 1)

    def test_over_another_allocator(self):
        done = self.run_command(
            [program("sampled_mix"), "threads", "chains"],
            preload=[harness.SHIM, "libjemalloc.so.2"],
            env={"HEAPLEDGER_MODE": "sampled",
                 "HEAPLEDGER_SAMPLE_BYTES": str(self.MEAN)})
        self.assertEqual(done.status, 0, done.err)
        theory = Estimates.of(self.MEAN, done.out)
        live = self.live_by_function(self.only_report(done.pid), theory.true)
        for which, deviation in theory.deviations(live).items():
            self.assertLess(abs(deviation), 5, which)

    def test_the_report_says_so(self):
        done = self.sampled("hold")
        text = subprocess.run(
            [harness.CLI, "report", self.ledger_files(done.pid)[0]],
            stdout=subprocess.PIPE, env=self.environment(False), timeout=60,
            check=True).stdout.decode()
        self.assertIn("estimates: sampled, one sample per ", text)
        self.assertRegex(text, r"~\d")


def shown(line):
    """Prints a figure, with HEAPLEDGER_TEST_SHOW set."""
    if os.environ.get("HEAPLEDGER_TEST_SHOW"):
        print(line, flush=True)


def end(process):
    """What a failed test left."""
    if process.poll() is None:
        process.kill()
    process.communicate()


class ControlTest(harness.ShimTest):
    """A test that tells a program what to do and heapledger to arm it."""

    def serve(self, **env):
        process = self.start([program("dormant_server")],
                             stdin=subprocess.PIPE, bufsize=0, env=env)
        self.addCleanup(end, process)
        self.tell(process, "q")
        return process

    def tell(self, process, letters):
        process.stdin.write(letters.encode())
        for _ in letters.replace("q", ""):
            ready, _, _ = select.select([process.stdout], [], [], 20)
            self.assertTrue(ready, letters)
            self.assertEqual(process.stdout.read(1), b".")

    def verb(self, verb, process, *options, status=0):
        done = subprocess.run(
            [harness.CLI, verb, str(process.pid), "--dir", self.ledgers,
             "--json", *options], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=self.environment(False), timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout)["result"]

    def live(self, process, *names):
        report = self.only_report(process.pid)
        self.assertEqual(report["degraded"], {})
        live = self.live_by_function(report, names)
        return live[names[0]] if len(names) == 1 else live


class DormantTest(ControlTest):

    def setUp(self):
        super().setUp()
        self.mode = "dormant"

    def test_nothing_is_booked_before_and_everything_after(self):
        process = self.serve()
        self.tell(process, "aart")
        report = self.only_report(process.pid)
        self.assertEqual(report["process"]["mode"], "dormant")
        self.assertEqual(report["totals"],
                         dict.fromkeys(report["totals"], 0))
        self.assertEqual(self.verb("arm", process), "armed")
        self.assertEqual(self.verb("arm", process), "already")
        self.tell(process, "a")
        report = self.only_report(process.pid)
        self.assertEqual(report["process"]["mode"], "exact")
        self.assertIn("armed_at", report["process"])
        self.assertEqual(self.live(process, "Held", "Grown"),
                         {"Held": [1000, 10], "Grown": [0, 0]})
        # Blocks from before are freed, by this thread and by another.
        self.tell(process, "fo")
        self.assertEqual(self.live(process, "Held"), [1000, 10])
        self.tell(process, "r")
        self.assertEqual(self.live(process, "Held", "Grown"),
                         {"Held": [0, 0], "Grown": [3000, 10]})
        self.tell(process, "o")
        self.assertEqual(self.live(process, "Held", "Grown"),
                         {"Held": [0, 0], "Grown": [0, 0]})
        self.assertEqual(self.finish(process).status, 0)
        self.assertEqual(self.live(process, "Held"), [0, 0])

    def test_disarmed_and_armed_again(self):
        process = self.serve()
        self.tell(process, "t")
        self.assertEqual(self.verb("disarm", process), "already")
        self.verb("arm", process)
        self.tell(process, "aa")
        self.assertEqual(self.verb("disarm", process), "disarmed")
        before = self.only_report(process.pid)
        self.assertEqual(before["process"]["mode"], "dormant")
        self.tell(process, "aaa")
        self.assertEqual(self.live(process, "Held"), [2000, 20])
        self.tell(process, "f")  # booked ones
        self.assertEqual(self.live(process, "Held"), [1000, 10])
        self.tell(process, "r")  # not booked, not now
        self.assertEqual(self.live(process, "Held", "Grown"),
                         {"Held": [1000, 10], "Grown": [0, 0]})
        self.assertEqual(self.verb("arm", process), "armed")
        self.tell(process, "a")
        self.assertEqual(self.live(process, "Held"), [2000, 20])
        self.tell(process, "fof")  # 10 booked, 20 not, one of them elsewhere
        self.assertEqual(self.live(process, "Held"), [1000, 10])
        self.tell(process, "off")
        self.assertEqual(self.live(process, "Held"), [0, 0])
        report = self.only_report(process.pid)
        self.assertIn("disarmed_at", report["process"])
        self.assertEqual(self.verb("disarm", process), "disarmed")
        totals = self.only_report(process.pid)["totals"]
        self.tell(process, "affaoo")
        time.sleep(0.05)
        self.assertEqual(self.only_report(process.pid)["totals"], totals)

    def test_a_program_measured_from_the_start_is_disarmed(self):
        self.mode = "exact"
        for env in ({}, {"HEAPLEDGER_STACK": "adaptive"},
                    {"HEAPLEDGER_MODE": "sampled",
                     "HEAPLEDGER_SAMPLE_BYTES": "1"}):
            with self.subTest(env=env):
                process = self.serve(**env)
                self.tell(process, "ta")
                self.assertEqual(self.verb("disarm", process), "disarmed")
                self.tell(process, "aa")
                self.assertEqual(self.live(process, "Held"), [1000, 10])
                self.tell(process, "ff")
                self.assertEqual(self.live(process, "Held"), [0, 0])
                self.assertEqual(self.verb("arm", process), "armed")
                self.tell(process, "af")
                self.assertEqual(self.live(process, "Held"), [1000, 10])
                self.tell(process, "f")
                self.assertEqual(self.live(process, "Held"), [0, 0])
                end(process)

    def test_armed_to_sample(self):
        process = self.serve(HEAPLEDGER_SAMPLE_BYTES="1")
        self.tell(process, "at")
        report = self.only_report(process.pid)
        self.assertEqual(report["process"]["mode"], "dormant")
        self.assertEqual(self.verb("arm", process), "armed")
        self.tell(process, "a")
        report = self.only_report(process.pid)
        self.assertEqual(report["process"]["mode"], "sampled")
        self.assertEqual(report["process"]["sample_bytes"], 1)
        self.assertEqual(self.live(process, "Held"), [1000, 10])
        self.tell(process, "fr")
        self.assertEqual(self.live(process, "Held", "Grown"),
                         {"Held": [0, 0], "Grown": [3000, 10]})
        self.verb("disarm", process)
        self.tell(process, "ao")
        self.assertEqual(self.live(process, "Held", "Grown"),
                         {"Held": [0, 0], "Grown": [0, 0]})

    def test_armed_to_adapt(self):
        process = self.serve(HEAPLEDGER_STACK="adaptive")
        self.tell(process, "at")
        self.assertEqual(self.verb("arm", process, "--full-stacks"), "armed")
        self.tell(process, "a")
        report = self.only_report(process.pid)
        self.assertEqual(report["process"]["stack"], "adaptive")
        self.assertEqual(self.live(process, "Held"), [1000, 10])

    def test_a_program_that_allocates_no_more(self):
        process = self.serve()
        self.tell(process, "a")
        done = subprocess.run(
            [harness.CLI, "arm", str(process.pid), "--dir", self.ledgers],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.environment(False), timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"will take effect at the program's next allocation",
                      done.stdout)
        self.tell(process, "f")  # frees are none
        report = self.only_report(process.pid)
        self.assertEqual(report["process"]["mode"], "dormant")
        # The allocation that takes the request may be the last unbooked one.
        self.tell(process, "aa")
        report = self.only_report(process.pid)
        self.assertEqual(report["process"]["mode"], "exact")
        self.assertIn(self.live(process, "Held"), ([2000, 20], [1900, 19]))

    def test_a_child_is_as_its_parent(self):
        process = self.serve()
        self.tell(process, "ac")
        children = [path for path in self.ledger_files()
                    if f"/{process.pid}-" not in path]
        self.assertEqual(len(children), 1)
        report = self.report(children[0])
        self.assertEqual(report["process"]["mode"], "dormant")
        self.assertEqual(report["totals"],
                         dict.fromkeys(report["totals"], 0))
        self.tell(process, "t")
        self.assertEqual(self.verb("arm", process), "armed")
        self.tell(process, "ac")
        [path] = [path for path in self.ledger_files()
                  if f"/{process.pid}-" not in path and path not in children]
        report = self.report(path)
        self.assertEqual(report["process"]["mode"], "exact")
        self.assertEqual(report["degraded"], {})
        # The 10 oldest, which it freed, are from before.
        self.assertEqual(
            self.live_by_function(report, ["Held", "ChildHeld"]),
            {"Held": [1000, 10], "ChildHeld": [330, 10]})
        armed = report
        # A disarmed parent's child follows what it inherited.
        self.verb("disarm", process)
        self.tell(process, "fc")
        [path] = [other for other in self.ledger_files()
                  if f"/{process.pid}-" not in other and other != path and
                  other not in children]
        report = self.report(path)
        self.assertEqual(report["process"]["mode"], "dormant")
        self.assertEqual(
            self.live_by_function(report, ["Held", "ChildHeld"]),
            {"Held": [0, 0], "ChildHeld": [0, 0]})
        self.assertEqual(report["totals"]["inherited_objects"],
                         10 + report["totals"]["live_objects"])
        self.assertEqual(report["degraded"], {})
        # Of its heap, too, only a part is in the books.
        self.assertIn("armed_at", armed["process"])
        self.assertIn("disarmed_at", report["process"])

    def test_blocks_from_before_the_start(self):
        bare = self.run_command([program("dormant_early")], preload=False)
        self.assertEqual(bare.status, 0)
        for env in ({}, {"HEAPLEDGER_SAMPLE_BYTES": "64"},
                    {"HEAPLEDGER_MODE": "sampled",
                     "HEAPLEDGER_SAMPLE_BYTES": "64"},
                    {"HEAPLEDGER_MODE": "exact",
                     "HEAPLEDGER_STACK": "adaptive"}):
            with self.subTest(env=env):
                done = self.run_command([program("dormant_early")], env=env)
                self.assertEqual((done.status, done.out, done.err),
                                 (bare.status, bare.out, bare.err))
                report = self.only_report(done.pid)
                self.assertEqual(report["degraded"], {})

    def test_armed_between_blocks_from_before_the_start(self):
        for env in ({}, {"HEAPLEDGER_SAMPLE_BYTES": "1"}):
            with self.subTest(env=env):
                bare = self.run_command([program("dormant_early")],
                                        preload=False)
                process = self.start([program("dormant_early")], env=env,
                                     stdin=subprocess.PIPE, bufsize=0)
                self.addCleanup(end, process)
                lines = process.stdout.readline() + process.stdout.readline()
                self.assertEqual(self.verb("arm", process), "pending")
                process.stdin.write(b"x")
                done = self.finish(process)
                self.assertEqual((done.status, lines + done.out, done.err),
                                 (bare.status, bare.out, bare.err))
                report = self.only_report(process.pid)
                self.assertEqual(report["degraded"], {})
                self.assertEqual(
                    self.live_by_function(report, ["Later"])["Later"][1], 9)

    def test_armed_while_threads_allocate(self):
        process = self.start([program("busy"), "4", "60"])
        self.addCleanup(end, process)
        self.assertEqual(process.stdout.readline(), b"started\n")
        for _ in range(10):
            self.assertEqual(self.verb("arm", process), "armed")
            time.sleep(0.05)
            self.assertEqual(self.verb("disarm", process), "disarmed")
        report = self.only_report(process.pid)
        self.assertEqual(report["degraded"], {})
        self.assertGreater(report["totals"]["allocations"], 1000)
        # A thread that read the gate before the last change may book a block
        # after it; those in flight are followed to their end.
        time.sleep(0.3)
        first = self.only_report(process.pid)["totals"]["allocations"]
        time.sleep(0.2)
        second = self.only_report(process.pid)
        self.assertEqual(second["totals"]["allocations"], first)
        self.assertEqual(self.live_by_function(second, ["Temporary"]),
                         {"Temporary": [0, 0]})


# The compiler's stacks of the time when it is compiling this.
CXX = "\n".join(
    ["#include <map>", "#include <regex>", "#include <string>",
     "#include <unordered_map>", "#include <vector>"] +
    [f"struct S{i} {{ std::map<int, std::string> m; std::vector<S{i} *> v;"
     f" std::unordered_map<std::string, S{i}> u; }};\n"
     f"std::size_t F{i}(S{i} &s, const std::string &t) {{\n"
     f"  for (int n = 0; n < {i} + 9; ++n) s.m[n] += t;\n"
     f"  s.u[t].v.push_back(&s);\n"
     f"  return std::regex_match(t, std::regex(\"x{i}*\")) + s.u.size(); }}"
     for i in range(12)])

PYTHON = r"""
import json, os, signal
class Node:
    def __init__(self, i):
        self.name = "n%d" % i
        self.tags = [str(i + k) for k in range(4)]
        self.more = {"i": i, "f": i / 3, "t": tuple(self.tags)}
kept = {}
for i in range(60000):
    node = Node(i)
    text = json.dumps(node.more)
    if i % 2:
        kept[node.name] = (node, json.loads(text))
os.kill(os.getpid(), signal.SIGSTOP)
"""


class AdaptiveTest(counted.CountedTest):
    mode = "adaptive"

    def stop_at_peak(self, command, env=None):
        """The report of a program that stops itself; it ends well after.

        In front of the shim the counting preload would be one of the two frames
        that are left of a cut stack: so that is another run.
        """
        for arguments in (self.counted(env), {"env": env}):
            self.clear()
            process = self.start(command, **arguments)
            self.addCleanup(end, process)
            self.wait_for_stop(process)
            report = self.only_report(process.pid)
            if "preload" in arguments:
                self.compare(report, self.read_count(os.path.join(
                    self.counts, f"{process.pid}.count")))
            process.send_signal(signal.SIGCONT)
            self.assertEqual(self.finish(process).status, 0)
            if "preload" in arguments:
                self.check_ledgers()
        return report

    def wait_for_stop(self, process):
        deadline = time.monotonic() + 60
        while True:
            pid, status = os.waitpid(process.pid, os.WUNTRACED | os.WNOHANG)
            if pid:
                self.assertTrue(os.WIFSTOPPED(status), status)
                return
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def check_cut(self, name, report):
        """Whether what holds memory has its stacks; True if any was cut."""
        share = (report["cut_stack_live_bytes"] /
                 report["totals"]["live_bytes"])
        cut = [site for site in report.get("callsites", ())
               if site.get("cut")]
        blocks = sum(site["allocations"] for site in cut)
        shown(f"{name:16} {100 * share:.2f}% of "
              f"{report['totals']['live_bytes'] >> 20} MiB cut; "
              f"{blocks} of {report['totals']['allocations']} allocations in "
              f"{len(cut)} of {report['degraded'].get('stack_cut', 0)} cut "
              "callsites")
        self.assertLessEqual(share, 0.03, name)
        if "callsites" in report:
            self.assertEqual(sum(site["live_bytes"] for site in cut),
                             report["cut_stack_live_bytes"])
        return bool(cut)

    def test_a_slow_leak_among_much_that_goes_gets_its_stack(self):
        process = self.start([program("adaptive_leak"), "300"])
        self.addCleanup(end, process)
        chain = ["xmalloc", "make_node", "session_new", "planted_leak",
                 "handle_login", "serve", "main"]
        deadline = time.monotonic() + 60
        start = time.monotonic()
        seen = []
        while len(seen) < 2:
            self.assertLess(time.monotonic(), deadline, seen)
            time.sleep(0.5)
            report = self.only_report(process.pid)
            full = [site["live_objects"] for site in report["callsites"]
                    if [frame["function"] for frame in site["stack"]
                        if frame["function"] in chain] == chain]
            cut = sum(site["allocations"] for site in report["callsites"]
                      if site.get("cut"))
            # While it cuts: stacks from before that do not count.
            if cut and sum(full) > (seen[-1][1] if seen else 3):
                seen.append((round(time.monotonic() - start, 1), sum(full)))
        shown(f"leak: {seen}, {cut} of {report['totals']['allocations']} cut")
        self.assertGreater(cut, report["totals"]["allocations"] // 10)

    def test_what_is_live_at_the_peak_has_its_stacks(self):
        for how in ("steady", "turn", "swing", "threads"):
            with self.subTest(mix=how):
                report = self.stop_at_peak([program("adaptive_mix"), how])
                self.assertTrue(self.check_cut(how, report))
                self.assertGreater(report["degraded"]["stack_cut"], 7)

    def test_python_at_its_peak(self):
        report = self.stop_at_peak(
            [self.need("python3"), "-c", PYTHON],
            env={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})
        self.check_cut("python3", report)

    def test_cc1plus_at_its_peak(self):
        compiler = self.need("g++")
        found = self.run_command([compiler, "-print-prog-name=cc1plus"],
                                 preload=False).out.decode().strip()
        source = self.write("peak.cc", CXX)
        whole = os.path.join(self.scratch, "peak.ii")
        done = self.run_command([compiler, "-E", source, "-o", whole],
                                preload=False)
        self.assertEqual(done.status, 0, done.err)
        process = self.start([found, "-quiet", "-fpreprocessed", "-O2", whole,
                              "-o", os.path.join(self.scratch, "peak.s")])
        self.addCleanup(end, process)
        best = None
        while process.poll() is None:
            time.sleep(0.2)
            if not self.ledger_files(process.pid):
                continue
            # Stopped, as what is read is of one moment then.
            process.send_signal(signal.SIGSTOP)
            report = self.by_module(self.ledger_files(process.pid)[0])
            process.send_signal(signal.SIGCONT)
            if (best is None or report["totals"]["live_bytes"] >
                    best["totals"]["live_bytes"]):
                best = report
        self.assertEqual(self.finish(process).status, 0)
        last = self.by_module(self.ledger_files(process.pid)[0])
        self.assertGreater(best["totals"]["live_bytes"],
                           0.7 * last["peak_live_bytes"])
        self.check_cut("cc1plus", best)

    def by_module(self, path):
        done = subprocess.run(
            [harness.CLI, "report", path, "--json", "--limit", "1", "--by",
             "module", "--dir", self.ledgers], stdout=subprocess.PIPE,
            timeout=60, env=self.environment(False), check=True)
        return json.loads(done.stdout)

    def test_cut_stacks_are_labelled(self):
        self.run_three([program("adaptive_leak"), "1"])
        self.clear()
        process = self.start([program("adaptive_leak"), "2"])
        self.assertEqual(self.finish(process).status, 0)
        report = self.only_report(process.pid)
        cut = [site for site in report["callsites"] if site.get("cut")]
        self.assertTrue(cut)
        for site in cut:
            self.assertEqual(
                [frame["function"] for frame in site["stack"]
                 if not frame.get("inlined")], ["xmalloc", "make_node"])
        for site in report["callsites"]:
            if site["allocations"] and not site.get("cut"):
                self.assertGreater(len(site["stack"]), 2)
        # One for each callsite of them and thread, not for each block.
        self.assertGreaterEqual(report["degraded"].pop("stack_cut"), len(cut))
        self.assertEqual(report["degraded"], {})
        text = subprocess.run(
            [harness.CLI, "report", self.ledger_files(process.pid)[0]],
            stdout=subprocess.PIPE, env=self.environment(False), timeout=60,
            check=True).stdout.decode()
        self.assertRegex(text, re.compile(r"^cut stacks: .*% of the live byte",
                                          re.M))

    def test_full_stacks_on_demand(self):
        process = self.start([program("adaptive_leak"), "60"])
        self.addCleanup(end, process)
        time.sleep(0.5)

        def cut():
            report = self.only_report(process.pid)
            return sum(site["allocations"] for site in report["callsites"]
                       if site.get("cut"))
        deadline = time.monotonic() + 20
        while not cut():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.2)
        asked = subprocess.run(
            [harness.CLI, "arm", str(process.pid), "--full-stacks", "--dir",
             self.ledgers], env=self.environment(False), timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(asked.returncode, 0, asked.stderr)
        time.sleep(0.5)
        before = cut()
        time.sleep(0.5)
        self.assertEqual(cut(), before)


if __name__ == "__main__":
    unittest.main()
