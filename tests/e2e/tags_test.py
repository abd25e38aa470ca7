# SPDX-License-Identifier: Apache-2.0
"""Whose memory it is: bytes by tag add up to the heap, and are what the program
says of itself; and programs that know nothing of tags are tagged by rules."""

import gzip
import json
import os
import re
import shutil
import socket
import subprocess
import time
import unittest

import harness
from metrics_page import PageTest, promtool_says, samples

SUMS = (("live_bytes", "heap_live_bytes"),
        ("live_objects", "heap_live_objects"),
        ("allocated_bytes_total", "heap_allocated_bytes_total"))


class TagsTest(PageTest):

    def cli(self, *arguments):
        return subprocess.run(
            [harness.CLI, *map(str, arguments), "--dir", self.ledgers],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
            env=self.environment(False))

    def by_tag(self, what, *options):
        """{text: row} of a report, whose rows add up to its totals."""
        done = self.cli("report", what, "--by", "tag", "--json", "--limit", 0,
                        *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        for name in ("live_bytes", "live_objects", "allocated_bytes",
                     "allocations", "freed_bytes", "frees"):
            self.assertEqual(sum(row[name] for row in report["tags"]),
                             report["totals"][name], name)
        return {(row["tag"], *sorted(row["labels"].items())): row
                for row in report["tags"]}

    def service(self):
        service = self.start([harness.program("tagged_service")],
                             stdin=subprocess.PIPE)
        for pipe in (service.stdin, service.stdout, service.stderr):
            self.addCleanup(pipe.close)
        self.addCleanup(service.wait)
        self.addCleanup(service.kill)
        return service

    @staticmethod
    def round(service):
        """Has it work; what it says of its tenants: name -> (bytes, blocks)."""
        service.stdin.write(b"go\n")
        service.stdin.flush()
        own = {}
        for line in iter(service.stdout.readline, b"end\n"):
            _, name, size, objects = line.decode().split()
            own[name] = (int(size), int(objects))
        return own

    def tenants(self, rows):
        return {key[1][1]: (row["live_bytes"], row["live_objects"])
                for key, row in rows.items() if key[0] == "tenant"}

    def check_page(self, found, pid):
        """Tags add up to the heap, and nothing stands twice."""
        mine = [(name, labels, value) for name, labels, value in found
                if labels.get("pid") == str(pid)]
        for part, whole in SUMS:
            parts = [value for name, _, value in mine
                     if name == "heapledger_tag_" + part]
            total = [value for name, _, value in mine
                     if name == "heapledger_" + whole]
            self.assertEqual([sum(parts)], total, part)
        keys = [(name, tuple(sorted(labels.items())))
                for name, labels, _ in found]
        self.assertEqual(len(keys), len(set(keys)), "a series stands twice")

    def test_tenants_hold_what_the_service_says(self):
        service = self.service()
        base = self.collect()
        for _ in range(3):
            own = self.round(service)
            self.assertEqual(len(own), 5)
            if not self.counts_all:
                continue
            self.assertEqual(self.tenants(self.by_tag(service.pid)), own)
            served = lambda found: {
                labels["tag_tenant"]: int(value)
                for name, labels, value in found
                if name == "heapledger_tag_live_bytes" and
                labels["tag"] == "tenant"}
            found = self.until(base, lambda found: served(found) == {
                name: size for name, (size, _) in own.items()})
            self.check_page(found, service.pid)

    def test_the_applications_own_metrics_are_served(self):
        service = self.service()
        self.round(service)
        base = self.collect()
        self.until(base, lambda found: any(
            name == "cache_memory_usage_bytes" for name, _, _ in found))
        text = self.page(base)
        values = {(name, *(labels[key] for key in (
                      "expert_type", "server_name", "cache_type")
                      if key in labels)): value
                  for name, labels, value in samples(text)
                  if labels.get("pid") == str(service.pid)}
        expected = {
            ("circle_of_experts_memory_usage_bytes", "claude"): 1000,
            ("circle_of_experts_memory_usage_bytes", "local"): 1100,
            ("mcp_server_memory_usage_bytes", "files"): 1200,
            ("database_connection_pool_memory_bytes",): 1300,
            ("cache_memory_usage_bytes", "prompt"): 1400,
            ("websocket_connection_memory_bytes",): 1500,
        }
        for key, value in expected.items():
            self.assertEqual(values[key], value, key)
        # The request's scope holds what the service's main thread keeps, too.
        self.assertGreaterEqual(values[("active_request_memory_bytes",)], 1600)
        scopes = {labels["tag"]: value for name, labels, value in samples(text)
                  if name == "heapledger_tag_open_scopes" and value}
        self.assertEqual(scopes, {"websocket_connection": 2,
                                  "active_request": 1})
        if (said := promtool_says(text)) is not None:
            self.assertEqual(said, [])

    def test_files_carry_tags(self):
        service = self.service()
        own = self.round(service)
        snapshot = os.path.join(self.scratch, "heap.hl")
        done = self.cli("snapshot", service.pid, "-o", snapshot)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = self.by_tag(snapshot)
        self.assertEqual(self.tenants(rows), own)
        self.assertEqual(rows[("websocket_connection",)]["scopes_open"], 2)
        profile = os.path.join(self.scratch, "heap.pb.gz")
        done = self.cli("report", snapshot, "--format", "pprof")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(profile, "wb") as file:
            file.write(done.stdout)
        strings = gzip.decompress(done.stdout)
        for word in ("tag", "tenant", "acme", "wärme", "cache_type"):
            self.assertIn(word.encode(), strings)
        if shutil.which("go"):
            shown = subprocess.run(["go", "tool", "pprof", "-tags", profile],
                                   stdout=subprocess.PIPE, check=True)
            self.assertIn(b"tenant", shown.stdout)
        self.round(service)
        done = self.cli("diff", snapshot, service.pid, "--by", "tag", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        compared = json.loads(done.stdout)
        self.assertIn("tenant=acme",
                      {row["function"] for row in compared["tags"]})

    def test_a_program_built_with_tags_runs_without_us(self):
        for way in ("pie", "no_pie", "static"):
            with self.subTest(way=way):
                bare = self.run_command(
                    [harness.program(f"tagged_pairs_{way}"), "switch", "10"],
                    preload=False)
                self.assertEqual((bare.status, bare.out, bare.err),
                                 (0, b"untagged\n", b""))
        done = self.run_command(
            [harness.program("tagged_pairs_pie"), "switch", "10"])
        self.assertEqual((done.status, done.out), (0, b"tagged\n"))

    def instructions(self, what):
        """Instructions each of what tagged_pairs does."""
        counts = []
        for times in (2000, 12000):
            # Through env(1), so that valgrind itself runs without.
            settings = [f"LD_PRELOAD={harness.SHIM}",
                        f"HEAPLEDGER_DIR={self.ledgers}"]
            done = subprocess.run(
                ["valgrind", "--tool=callgrind", "--trace-children=yes",
                 "--trace-children-skip=*/env",
                 f"--callgrind-out-file={self.scratch}/out", "/usr/bin/env",
                 "-i", *settings, harness.program("tagged_pairs_pie"), what,
                 str(times)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                timeout=300)
            self.assertEqual(done.returncode, 0, done.stderr[-500:])
            counts.append(int(re.findall(r"Collected : (\d+)",
                                         done.stderr)[-1]))
        return (counts[1] - counts[0]) / 10000

    def test_what_scopes_cost(self):
        if shutil.which("valgrind") is None or self.mode != "exact":
            self.skipTest("valgrind counts instructions, of exact mode")
        cost = {what: self.instructions(what)
                for what in ("scopes", "plain", "inside", "switch")}
        print("instructions:", cost, flush=True)
        # In a scope that stays, a call costs what it costs outside.
        self.assertLess(abs(cost["inside"] - cost["plain"]), 1.5, cost)
        self.assertLess(cost["scopes"], 170, cost)
        # Another tag for every block: each time, what is remembered switches.
        self.assertLess(cost["switch"], cost["plain"] + 1000, cost)

    RULES = """
tags:
  - {tag: keyspace, labels: {part: dict}, processes: [redis-server],
     function: '^_?dict'}
  - {tag: values, processes: [redis-server],
     function: 'createObject|createStringObject|tryObjectEncoding|RedisModule'}
  - {tag: clients, processes: [redis-server], function: 'createClient|Query'}
  - {tag: nobody, processes: [other-server], function: '.'}
metrics:
  - {metric: redis_dict_bytes, tag: keyspace, labels: [part]}
"""

    def redis(self):
        server = shutil.which("redis-server")
        if server is None:
            self.skipTest("redis-server is not installed")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = self.start(
            [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "",
             "--dir", self.scratch], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 60
        while True:
            try:
                return process, socket.create_connection(("127.0.0.1", port))
            except OSError:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)

    def test_redis_is_tagged_by_rules(self):
        rules = os.path.join(self.scratch, "tags.yaml")
        with open(rules, "w", encoding="utf-8") as file:
            file.write(self.RULES)
        process, connection = self.redis()
        self.addCleanup(connection.close)
        commands = b"".join(b"set key:%d %s\r\n" % (i, b"x" * (i % 100 + 1))
                            for i in range(20000))
        connection.sendall(commands)
        answers = b""
        while answers.count(b"+OK\r\n") < 20000:
            answers += connection.recv(1 << 16)
        # Before rules, all of it is nobody's.
        self.assertEqual(set(self.by_tag(process.pid)), {("_untagged",)})
        rows = self.by_tag(process.pid, "--tags", rules)
        self.assertIn(("keyspace", ("part", "dict")), rows)
        self.assertNotIn(("nobody",), rows)
        dictionary = rows[("keyspace", ("part", "dict"))]["live_bytes"]
        # Two tables of 20,000 entries of at least 24 bytes.
        self.assertGreater(dictionary, 20000 * 24)
        base = self.collect("--tags", rules)
        found = self.until(base, lambda found: any(
            name == "redis_dict_bytes" for name, _, _ in found))
        self.check_page(found, process.pid)
        value = [(labels["part"], value) for name, labels, value in found
                 if name == "redis_dict_bytes"]
        self.assertEqual(value[0][0], "dict")
        self.assertGreater(value[0][1], 20000 * 24)
        snapshot = os.path.join(self.scratch, "redis.hl")
        done = self.cli("snapshot", process.pid, "--tags", rules, "-o",
                        snapshot)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(("keyspace", ("part", "dict")), self.by_tag(snapshot))

    PYTHON = """
import sys, threading, heapledger
keep = []
acme = heapledger.Tag("tenant", tenant="acme")
with acme.scope():
    keep.append(bytearray(100000))
    def work(tag):
        with tag.adopted():
            keep.append(bytearray(50000))
    thread = threading.Thread(target=work, args=(heapledger.current(),))
    thread.start(); thread.join()
try:
    with heapledger.Tag("request").scope():
        keep.append(bytearray(30000))
        raise KeyError
except KeyError:
    keep.append(bytearray(20000))
connection = heapledger.Tag("websocket_connection")
connection.begin(); connection.begin(); connection.end()
print("ready", flush=True)
sys.stdin.readline()
"""

    def test_python_programs_have_tags(self):
        python = "/usr/bin/python3"
        modules = os.path.join(os.path.dirname(harness.SHIM), "python")
        env = {"PYTHONPATH": modules, "PYTHONDONTWRITEBYTECODE": "1"}
        bare = self.run_command([python, "-c", self.PYTHON], preload=False,
                                env=env)
        self.assertEqual((bare.status, bare.out, bare.err), (0, b"ready\n", b""))
        program = self.start([python, "-c", self.PYTHON], env=env,
                             stdin=subprocess.PIPE)
        for pipe in (program.stdin, program.stdout, program.stderr):
            self.addCleanup(pipe.close)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        self.assertEqual(program.stdout.readline(), b"ready\n")
        rows = self.by_tag(program.pid)
        acme = rows[("tenant", ("tenant", "acme"))]
        # And a little that CPython keeps for itself.
        self.assertGreaterEqual(acme["live_bytes"], 150000)
        self.assertLess(acme["live_bytes"], 150000 + (2 << 20))
        self.assertEqual(acme["scopes_open"], 0)
        self.assertGreaterEqual(rows[("request",)]["live_bytes"], 30000)
        self.assertEqual(
            rows[("websocket_connection",)]["scopes_open"], 1)

    def test_bad_rules_are_refused_with_their_place(self):
        rules = os.path.join(self.scratch, "tags.yaml")
        with open(rules, "w", encoding="utf-8") as file:
            file.write("tags:\n  - {tag: a, function: '('}\n")
        for verb in (("report", "1"), ("snapshot", "1"),
                     ("collect", "--listen", "127.0.0.1:0")):
            done = self.cli(*verb, "--tags", rules)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(b"tags.yaml line 2", done.stderr)

    def test_the_gate_holds_tags_to_budgets(self):
        command = ["--", harness.program("tagged_service")]
        for budget, status in (("tenant=1GiB", 0), ("tenant=acme=1", 23)):
            done = subprocess.run(
                [harness.CLI, "gate", "--all-live", "--max-leaked", "1GiB",
                 "--max-tag-live", budget, *command], input=b"go\n",
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                env=self.environment(False))
            self.assertEqual(done.returncode, status,
                             (budget, done.stdout, done.stderr))
        self.assertIn(b"max-tag-live tenant=acme", done.stderr + done.stdout)


if __name__ == "__main__":
    unittest.main()
