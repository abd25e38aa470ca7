# SPDX-License-Identifier: Apache-2.0
"""`heapledger report --children`: a server and its workers as one heap, each
with its share."""

import json
import subprocess
import unittest

import harness


class MergedReportTest(harness.ShimTest):

    def server(self):
        """A running server; its pids, its own first."""
        process = self.start([harness.program("prefork")],
                             stdin=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        return process, [int(pid) for pid in process.stdout.readline().split()]

    def merged(self, what, *options, status=0):
        done = subprocess.run(
            [harness.CLI, "report", str(what), "--children", "--dir",
             self.ledgers, *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
            env=self.environment(False))
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout.decode() if status == 0 else done.stderr.decode()

    def check_sums(self, report, rows="callsites"):
        """Rows add up to the totals, as a whole and for each process."""
        for name in ("live_bytes", "live_objects", "allocated_bytes",
                     "inherited_bytes"):
            every = report[rows] + [report["other"]]
            self.assertEqual(sum(row[name] for row in every),
                             report["totals"][name], name)
            self.assertEqual(
                sum(process[name] for process in report["processes"]),
                report["totals"][name], name)
            for process in report["processes"]:
                shares = [share[name] for row in every
                          for share in row["processes"]
                          if share["pid"] == process["pid"]]
                self.assertEqual(sum(shares), process[name], (process, name))

    def functions(self, report):
        """function -> {pid: live objects}"""
        return {row["function"]: {share["pid"]: share["live_objects"]
                                  for share in row["processes"]}
                for row in report["functions"]}

    def test_a_pid_with_its_workers(self):
        _, pids = self.server()
        report = json.loads(self.merged(pids[0], "--json", "--by", "function",
                                        "--limit", "0"))
        self.assertEqual([p["pid"] for p in report["processes"]],
                         sorted(pids))
        self.check_sums(report, "functions")
        functions = self.functions(report)
        self.assertEqual(functions["hold_own"],
                         {pids[1]: 10, pids[2]: 20, pids[3]: 30})
        # A copy in each, which is what they inherited.
        self.assertEqual(functions["hold_shared"],
                         {pid: 100 for pid in pids})

    def test_callsites_are_merged_by_fingerprint(self):
        _, pids = self.server()
        report = json.loads(self.merged(pids[0], "--json", "--limit", "0"))
        self.check_sums(report)
        own = [row for row in report["callsites"]
               if row.get("function") == "hold_own"]
        self.assertEqual(len(own), 1)
        self.assertEqual(own[0]["live_objects"], 60)
        limited = json.loads(self.merged(pids[0], "--json", "--limit", "1"))
        self.check_sums(limited)
        self.assertEqual(len(limited["callsites"]), 1)
        self.assertEqual(limited["other"]["rows"],
                         len(report["callsites"]) - 1)

    def test_a_name_takes_every_process_of_it(self):
        _, first = self.server()
        _, second = self.server()
        report = json.loads(self.merged("prefork", "--json"))
        self.assertEqual([p["pid"] for p in report["processes"]],
                         sorted(first + second))
        # A worker alone has nobody below it.
        alone = json.loads(self.merged(first[1], "--json"))
        self.assertEqual([p["pid"] for p in alone["processes"]], [first[1]])

    def test_those_that_ended_where_none_runs(self):
        process, pids = self.server()
        process.stdin.close()
        process.wait(timeout=30)
        report = json.loads(self.merged(pids[0], "--json"))
        self.assertEqual([p["pid"] for p in report["processes"]],
                         sorted(pids))

    def test_the_table_for_people(self):
        _, pids = self.server()
        text = self.merged(pids[0])
        self.assertIn("4 processes, live ", text)
        self.assertIn("were inherited at forks", text)
        row = [line for line in text.splitlines() if "hold_own" in line]
        self.assertEqual(len(row), 1)
        self.assertEqual(row[0].split()[2:4][0], "3", row)

    def test_what_it_cannot_do(self):
        _, pids = self.server()
        self.assertIn("leave out --tree",
                      self.merged(pids[0], "--tree", status=2))
        self.assertIn("no ledger for", self.merged("nobody", status=1))


if __name__ == "__main__":
    unittest.main()
