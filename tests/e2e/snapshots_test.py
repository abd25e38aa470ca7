# SPDX-License-Identifier: Apache-2.0
"""Snapshots, marks and differences of real programs, through the CLI and over
HTTP: the same figures everywhere, cheap to take, and safe to read."""

import glob
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

import harness
from scenarios import scenario

sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir,
                                "integration", "profile"))
import pprof_file  # noqa: E402


class SnapshotsTest(harness.ShimTest):
    mode = "exact"

    def heapledger(self, *words, status=0):
        """Runs the CLI in the scratch directory; its outcome."""
        done = subprocess.run(
            [harness.CLI, *map(str, words)], cwd=self.scratch,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=120,
            env=self.environment(False, HEAPLEDGER_DIR=self.ledgers))
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def path(self, name):
        return os.path.join(self.scratch, name)

    def waiting(self, *command):
        """A program under the shim that answers a line and waits for input."""
        process = self.start([harness.program(command[0]), *command[1:]],
                             stdin=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        return process

    def step(self, process):
        process.stdin.write(b"step\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b"done\n")

    @scenario(58)
    def test_a_large_heap_is_written_in_a_moment_from_outside(self):
        process = self.waiting("many_callsites", "50000", "1")
        self.assertEqual(process.stdout.readline(), b"ready\n")
        costs = []
        for name in ("a.hl", "b.hl", "c.hl"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.heapledger("snapshot", process.pid, "--no-symbols", "-o",
                            name)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            costs.append(after.ru_utime + after.ru_stime - before.ru_utime -
                         before.ru_stime)
        # Of the processor, not of the clock on the wall: 0.15 s on a machine
        # that does nothing else, and half as fast where others share its cores.
        self.assertLess(min(costs), 0.4)
        report = self.report(process.pid)
        self.assertGreaterEqual(len(report["callsites"]), 50000)
        stored = json.loads(self.heapledger(
            "report", "a.hl", "--json", "--limit", "0").stdout)
        self.check_sums(stored)
        self.assertEqual(stored["totals"], report["totals"])
        self.assertEqual(stored["callsites"], report["callsites"])

    def test_a_file_needs_no_program_and_no_symbols(self):
        process = self.waiting("planted_leaks")
        self.step(process)
        said = self.heapledger("snapshot", process.pid).stderr.decode()
        match = re.search(r"written to (\S+\.hl) .*next: (heapledger report .*)",
                          said)
        self.assertIsNotNone(match, said)
        self.assertEqual(said.count("\n"), 1)
        path = self.path(match.group(1))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        live = self.heapledger("report", process.pid, "--by", "function",
                               "--limit", "0").stdout.decode()
        process.stdin.close()
        process.wait()
        for file in glob.glob(os.path.join(self.ledgers, "*")):
            os.unlink(file)
        stored = self.heapledger("report", path, "--by", "function",
                                 "--limit", "0").stdout.decode()
        self.assertIn("PlantedCache", stored)
        self.assertEqual(live.split("\n\n")[1], stored.split("\n\n")[1])
        self.assertIn("snapshot of 20", stored)
        with open(path, "rb") as file:
            self.assertNotIn(self.scratch.encode(), file.read())

    def test_names_of_files_and_what_is_there_already(self):
        process = self.waiting("planted_leaks")
        self.step(process)
        self.heapledger("snapshot", process.pid, "-o", "%e-%p-%n.folded")
        self.heapledger("snapshot", process.pid, "-o", "%e-%p-%n.folded")
        for number in (1, 2):
            self.assertTrue(os.path.exists(self.path(
                f"planted_leaks-{process.pid}-{number}.folded")))
        self.heapledger("snapshot", process.pid, "-o", "x.html")
        refused = self.heapledger("snapshot", process.pid, "-o", "x.html",
                                  status=1)
        self.assertIn(b"--force", refused.stderr)
        self.heapledger("snapshot", process.pid, "-o", "x.html", "--force")
        self.heapledger("snapshot", process.pid, "-o", "x.png", status=2)
        self.heapledger("snapshot", process.pid, "-o", "%q.hl", status=2)
        self.heapledger("snapshot", process.pid, "-o", "no/where.hl",
                        status=1)
        # No temporary file is left behind.
        self.assertEqual(glob.glob(self.path(".heapledger-*")), [])

    def planted_three_times(self, keep):
        process = self.waiting("planted_leaks")
        self.step(process)
        for moment in range(3):
            self.step(process)
            keep(process.pid, moment)
        return process

    def check_planted(self, diff):
        names = sorted(re.search(r"Planted\w+", row["function"]).group(0)
                       for row in diff["callsites"])
        self.assertEqual(names, ["PlantedCache", "PlantedLog"])
        by_name = {re.search(r"Planted\w+", row["function"]).group(0): row
                   for row in diff["callsites"]}
        # Two intervals of one step each.
        self.assertEqual(
            by_name["PlantedCache"]["difference"]["live_bytes"], 2 * 10 * 48)
        self.assertEqual(
            by_name["PlantedLog"]["difference"]["live_bytes"], 2 * 16)
        for row in diff["callsites"]:
            self.assertEqual(row["change"], "grown")
            self.assertTrue(row["grew_in_all"])
            values = [one["live_bytes"] for one in row["values"]]
            self.assertEqual(values, sorted(set(values)))

    def test_grew_in_all_names_exactly_the_planted_callsites(self):
        def snapshot(pid, moment):
            self.heapledger("snapshot", pid, "-o", f"{moment}.hl")
        self.planted_three_times(snapshot)
        words = ("0.hl", "1.hl", "2.hl")
        # One step: every tooth rose or fell, and the planted ones grew.
        step = json.loads(self.heapledger(
            "diff", "0.hl", "1.hl", "--json", "--limit", "0").stdout)
        self.assertEqual(len(step["callsites"]), 52)
        self.assertEqual(
            sum(row["difference"]["live_bytes"] for row in step["callsites"]),
            step["difference"]["live_bytes"])
        self.check_planted(json.loads(self.heapledger(
            "diff", *words, "--grew-in-all", "--json").stdout))
        text = self.heapledger("diff", *words, "--grew-in-all").stdout.decode()
        self.assertIn("grown: 2, +992 B", text)
        self.heapledger("diff", *words, "--grew-in-all", "-o", "g.pb.gz")
        profile = pprof_file.Pprof(self.path("g.pb.gz"))
        self.assertEqual(profile.totals()["live_bytes"], 992)
        for name in ("g.html", "g.svg", "g.folded", "g.speedscope.json",
                     "g.json", "g.txt"):
            self.heapledger("diff", *words, "-o", name)
            self.assertGreater(os.path.getsize(self.path(name)), 100)
        self.heapledger("diff", *words, "-o", "g.hl", status=2)

    def test_marks_are_compared_by_name_also_after_the_end(self):
        def mark(pid, moment):
            self.heapledger("mark", pid, f"day-{moment}")
        process = self.planted_three_times(mark)
        self.heapledger("mark", process.pid, "day-0", status=1)
        self.heapledger("mark", process.pid, "a/b", status=2)
        process.kill()
        process.wait()
        listed = json.loads(self.heapledger("mark", process.pid,
                                            "--json").stdout)
        self.assertEqual([one["name"] for one in listed["marks"]],
                         ["day-0", "day-1", "day-2"])
        self.check_planted(json.loads(self.heapledger(
            "diff", "--pid", process.pid, "day-0", "day-1", "day-2",
            "--grew-in-all", "--json").stdout))
        two = json.loads(self.heapledger(
            "diff", f"{process.pid}@day-2", process.pid, "--json").stdout)
        self.assertEqual(two["callsites"], [])
        self.heapledger("mark", process.pid, "last")
        ps = json.loads(self.heapledger("ps", "--json", "--all").stdout)
        self.assertEqual(len(ps["ledgers"]), 1)
        self.assertEqual(ps["problems"], [])

    def test_a_65th_mark_is_refused_with_what_to_do(self):
        process = self.waiting("planted_leaks")
        self.step(process)
        for number in range(64):
            self.heapledger("-q", "mark", process.pid, f"m{number}")
        refused = self.heapledger("mark", process.pid, "one-more", status=1)
        remedy = re.search(rb"heapledger (mark \d+ m0 --remove)",
                           refused.stderr)
        self.assertIsNotNone(remedy, refused.stderr)
        self.heapledger(*remedy.group(1).decode().split())
        self.heapledger("mark", process.pid, "one-more")

    def test_pprof_totals_are_the_reports_to_the_byte(self):
        process = self.waiting("planted_leaks")
        for _ in range(4):
            self.step(process)
        totals = self.report(process.pid)["totals"]
        self.heapledger("snapshot", process.pid, "-o", "heap.pb.gz")
        self.assertEqual(pprof_file.Pprof(self.path("heap.pb.gz")).totals(), {
            name: totals[name] for name in
            ("allocations", "allocated_bytes", "live_objects", "live_bytes")})
        folded = self.heapledger("report", process.pid, "--format",
                                 "folded").stdout.decode()
        self.assertEqual(
            sum(int(line.rsplit(" ", 1)[1]) for line in folded.splitlines()),
            totals["live_bytes"])

    def get(self, url):
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    def test_the_collector_serves_what_the_report_says(self):
        process = self.waiting("planted_leaks")
        self.step(process)
        self.heapledger("mark", process.pid, "start")
        self.step(process)
        totals = self.report(process.pid)["totals"]
        base = self.collect()
        while self.get(base + "/-/ready")[0] != 200:
            time.sleep(0.05)
        heap = f"{base}/debug/pprof/heap?pid={process.pid}"
        for url in (heap, base + "/debug/pprof/heap"):
            status, headers, body = self.get(url)
            self.assertEqual(status, 200, body)
            with open(self.path("served.pb.gz"), "wb") as file:
                file.write(body)
            served = pprof_file.Pprof(self.path("served.pb.gz")).totals()
            self.assertEqual(served["live_bytes"], totals["live_bytes"])
            self.assertEqual(served["allocations"], totals["allocations"])
        status, _, body = self.get(heap + "&base=start&format=json")
        self.assertEqual(status, 200, body)
        diff = json.loads(self.heapledger(
            "diff", f"{process.pid}@start", process.pid, "--json").stdout)
        status, _, body = self.get(heap + "&base=start&format=folded")
        self.assertEqual(
            sum(int(line.rsplit(" ", 1)[1]) - int(line.rsplit(" ", 2)[1])
                for line in body.decode().splitlines()),
            diff["difference"]["live_bytes"])
        for word, kind in (("html", "text/html"), ("svg", "image/svg+xml"),
                           ("speedscope", "application/json")):
            status, headers, body = self.get(f"{heap}&format={word}")
            self.assertEqual(status, 200, body)
            self.assertTrue(headers["Content-Type"].startswith(kind))
        for words, code in (("?pid=x", 400), ("?pid=999999999", 404),
                            (f"?pid={process.pid}&format=png", 400),
                            (f"?pid={process.pid}&base=none", 404),
                            (f"?pid={process.pid}&base=..%2Fx", 400),
                            (f"?pid={process.pid}&seconds=0", 400)):
            status, _, body = self.get(base + "/debug/pprof/heap" + words)
            self.assertEqual(status, code, (words, body))
            self.assertEqual(body.count(b"\n"), 1, body)

    def test_the_collector_makes_two_profiles_at_once(self):
        process = self.waiting("planted_leaks")
        self.step(process)
        base = self.collect()
        heap = f"{base}/debug/pprof/heap?pid={process.pid}"
        self.assertEqual(self.get(heap)[0], 200)
        slow = [subprocess.Popen(
            [sys.executable, "-c",
             "import sys, urllib.request; "
             "sys.stdout.buffer.write("
             "urllib.request.urlopen(sys.argv[1]).read())",
             heap + "&seconds=8&format=folded"],
            stdout=subprocess.PIPE) for _ in range(2)]
        # Long enough for both to be under way: a request of ours that comes
        # earlier would keep one of them out.
        time.sleep(3)
        status, headers, body = self.get(heap)
        self.assertEqual(status, 429, body)
        self.assertIn("Retry-After", headers)
        self.assertEqual(body.count(b"\n"), 1)
        # Scrapes go on meanwhile.
        begin = time.monotonic()
        self.assertEqual(self.get(base + "/metrics")[0], 200)
        self.assertLess(time.monotonic() - begin, 1.5)
        self.step(process)
        for one in slow:
            out, _ = one.communicate(timeout=30)
            self.assertEqual(one.returncode, 0)
            self.assertIn(b"PlantedCache", out)

    @scenario(58)
    def test_hostile_files_cost_one_sentence(self):
        process = self.waiting("planted_leaks")
        self.step(process)
        self.heapledger("snapshot", process.pid, "-o", "good.hl")
        with open(self.path("good.hl"), "rb") as file:
            good = file.read()
        bad = {
            "empty": b"",
            "text": b"x" * 5000,
            "short": good[:len(good) // 2],
            "long": good + b"x",
            "flipped": good[:3000] + bytes([good[3000] ^ 1]) + good[3001:],
            "newer": good[:8] + b"\x09\x00" + good[10:],
            "counts": good[:16] + b"\xff\xff\xff\xff" + good[20:],
        }
        for name, content in bad.items():
            with open(self.path(name + ".hl"), "wb") as file:
                file.write(content)
            for words in (("report",), ("diff", "good.hl"), ("snapshot",)):
                refused = self.heapledger(*words, name + ".hl", status=2)
                self.assertEqual(refused.stdout, b"")
                self.assertEqual(refused.stderr.count(b"\n"), 1,
                                 refused.stderr)
                self.assertIn(name.encode() + b".hl", refused.stderr)
        self.heapledger("report", "none.hl", status=1)

    def run_words(self, *words, command):
        return self.heapledger("run", *words, "--", *command)

    def test_run_writes_snapshots_at_the_end_and_of_the_peak(self):
        program = ("import sys\n"
                   "x = bytearray(30_000_000)\n"
                   "import time; time.sleep(1)\n"
                   "del x\n"
                   "y = bytearray(1_000_000)\n")
        self.run_words("-o", "end.hl", "--snapshot-at-peak",
                       command=["/usr/bin/python3", "-c", program])
        end = json.loads(self.heapledger("report", "end.hl", "--json").stdout)
        peak = json.loads(self.heapledger("report", "end-peak.hl",
                                          "--json").stdout)
        self.assertLess(end["totals"]["live_bytes"], 20_000_000)
        self.assertGreater(peak["totals"]["live_bytes"], 30_000_000)
        with open(self.path("end-peak.hl"), "rb") as file:
            facts = re.search(rb'"peak": \{\s*"seen_live_bytes": (\d+),\s*'
                              rb'"exact_live_bytes": (\d+)', file.read())
        self.assertEqual(int(facts.group(1)), peak["totals"]["live_bytes"])
        self.assertEqual(int(facts.group(2)), end["peak_live_bytes"])
        self.assertLessEqual(int(facts.group(1)), int(facts.group(2)))

    def test_run_writes_a_snapshot_of_each_process(self):
        self.run_words("-o", "each-%p.hl", command=[
            "/bin/sh", "-c", "/usr/bin/perl -e '$x = 1'; /usr/bin/perl -e "
            "'$y = 2'; true"])
        files = glob.glob(self.path("each-*.hl"))
        self.assertEqual(len(files), 3, files)
        programs = sorted(
            json.loads(self.heapledger("report", file, "--json").stdout)
            ["process"]["program"] for file in files)
        self.assertEqual(programs[-2:], ["perl", "perl"])

    def test_run_writes_a_snapshot_every_so_often_and_keeps_the_last(self):
        self.run_words("--snapshot-every", "1s", "--snapshot-keep", "2", "-o",
                       "s.folded", command=["/usr/bin/python3", "-c",
                                            "import time; time.sleep(5.5)"])
        kept = sorted(os.path.basename(file)
                      for file in glob.glob(self.path("s-*.folded")))
        self.assertEqual(len(kept), 2, kept)
        self.assertGreaterEqual(int(kept[-1][2:6]), 3)
        self.assertTrue(os.path.exists(self.path("s.folded")))
        self.heapledger("run", "--snapshot-every", "soon", "--", "true",
                        status=2)
        self.heapledger("run", "-o", "x.png", "--", "true", status=2)

    def test_says_what_the_ledger_cannot_tell(self):
        process = self.waiting("planted_leaks")
        self.step(process)
        for by in ("thread", "size"):
            refused = self.heapledger("report", process.pid, "--by", by,
                                      status=2)
            self.assertIn(b"the ledger cannot tell", refused.stderr)
            self.assertEqual(refused.stderr.count(b"\n"), 1)


if __name__ == "__main__":
    unittest.main()
