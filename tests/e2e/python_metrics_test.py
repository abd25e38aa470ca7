# SPDX-License-Identifier: Apache-2.0
"""What is served of CPython interpreters, held against what the interpreter
says of itself: with the helper thread, from outside, and where neither works.
"""

import collections
import concurrent.futures
import glob
import json
import os
import re
import subprocess
import time
import unittest
import urllib.request

import harness
from metrics_page import PageTest, promtool_says, samples

APPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
PYTHON = "/usr/bin/python3"
METRICS = {"HEAPLEDGER_PYTHON": "metrics", "HEAPLEDGER_PYTHON_REFRESH_MS": "50",
           "HEAPLEDGER_PYTHON_CENSUS_MS": "100"}
GC = ("python_gc_collections_total", "python_gc_objects_collected_total",
      "python_gc_objects_uncollectable_total")
STATS = ("collections", "collected", "uncollectable")
# What a request and its thread may hold at the time of one look and not of
# another.
SLACK = 60


def other_interpreters():
    """Of pyenv: the versions that outside reading knows."""
    found = []
    for path in sorted(glob.glob(
            os.path.expanduser("~/.pyenv/versions/3.*/bin/python3"))):
        if int(path.split("/versions/3.")[1].split(".")[0]) >= 9:
            found.append(path)
    return found


class PythonMetricsTest(PageTest):

    def app(self, name="python_web_app.py", python=PYTHON, preload=True,
            env=None):
        """Starts an application; its process and base URL."""
        process = self.start([python, "-I", os.path.join(APPS, name)],
                             preload=preload, env=env)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        line = process.stdout.readline()
        self.assertTrue(line, process.stderr.read)
        return process, f"http://127.0.0.1:{int(line)}"

    def ask(self, url):
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.loads(answer.read())

    def load(self, url, requests=200, orders=50):
        """Requests from four clients at a time."""
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            answers = clients.map(
                lambda _: self.ask(f"{url}/order?n={orders}"), range(requests))
            self.assertEqual(len(list(answers)), requests)

    def python(self, found, pid):
        """{name: {labels besides process and pid: value}} of a process."""
        values = collections.defaultdict(dict)
        for name, labels, value in found:
            if labels.get("pid") != str(pid) or "python" not in name:
                continue
            rest = tuple(sorted((key, word) for key, word in labels.items()
                                if key not in ("pid", "process")))
            self.assertNotIn(rest, values[name], name)
            values[name][rest] = value
        return values

    def until_read(self, base, pid, how):
        """The process' figures once they are read in this way."""
        def read(found):
            info = self.python(found, pid)["heapledger_python_info"]
            return any(("read", how) in labels for labels in info)
        return self.python(self.until(base, read), pid)

    def check_collections(self, values, facts):
        """Equal to gc.get_stats(), get_threshold() and get_count()."""
        for generation in range(3):
            key = (("generation", str(generation)),)
            for name, stat in zip(GC, STATS):
                self.assertEqual(values[name][key],
                                 facts["stats"][generation][stat],
                                 (name, generation))
            self.assertEqual(values["heapledger_python_gc_threshold"][key],
                             facts["threshold"][generation])
            # The rest of the request makes and frees containers.
            self.assertAlmostEqual(values["heapledger_python_gc_pending"][key],
                                   facts["count"][generation],
                                   delta=300 if generation == 0 else 0)
        self.assertEqual(
            values["python_memory_reference_cycles_total"][()],
            sum(stats["collected"] + stats["uncollectable"]
                for stats in facts["stats"]))
        self.assertEqual(values["heapledger_python_gc_enabled"][()], 0)

    def check_heap(self, values, facts):
        size = values["python_memory_heap_size_bytes"][()]
        free = values["python_memory_heap_free_bytes"][()]
        self.assertEqual(size % (256 << 10), 0)
        self.assertLess(free, size)
        blocks = values["python_memory_blocks"][()]
        self.assertAlmostEqual(blocks, facts["blocks"],
                               delta=0.02 * facts["blocks"] + 2000)
        classes = values["python_memory_size_class_blocks"]
        self.assertEqual(len(classes), 32)
        self.assertEqual(sum(classes.values()) > 0.9 * blocks, True)
        in_use = sum(int(dict(key)["size"]) * count
                     for key, count in classes.items())
        self.assertEqual(in_use, size - free,
                         "bytes in use are blocks times their size")

    def check_objects(self, values, facts):
        objects = {dict(key)["type"]: value for key, value in
                   values["python_memory_objects"].items()}
        self.assertLessEqual(len(objects), 33)
        self.assertEqual(objects["Order"], facts["types"]["Order"])
        self.assertGreaterEqual(objects["Order"], 1000)
        for kind in ("type", "module"):
            self.assertAlmostEqual(objects[kind], facts["types"][kind],
                                   delta=5, msg=kind)
        for kind in ("dict", "list", "tuple", "set", "function"):
            self.assertAlmostEqual(objects[kind], facts["types"][kind],
                                   delta=SLACK, msg=kind)
        self.assertAlmostEqual(sum(objects.values()), facts["objects"],
                               delta=4 * SLACK)

    def check_durations(self, values, facts):
        name = "heapledger_python_gc_duration_seconds"
        for generation in range(3):
            key = ("generation", str(generation))
            count = values[name + "_count"][(key,)]
            # Since the helper came, which is a little after the interpreter.
            self.assertLessEqual(count,
                                 facts["stats"][generation]["collections"])
            self.assertEqual(
                values[name + "_bucket"][(key, ("le", "+Inf"))], count)
            spent = values["python_gc_time_seconds_total"][(key,)]
            self.assertEqual(values[name + "_sum"][(key,)], spent)
            self.assertLess(spent, 60)
            if count:
                self.assertGreater(spent, 0)

    def check_by_helper(self, name):
        process, url = self.app(name, env=METRICS)
        base = self.collect()
        self.until_read(base, process.pid, "helper")
        self.load(url)
        facts = self.ask(url + "/facts")
        time.sleep(1)  # a refresh, a census, a sample of the ledger
        found = samples(self.page(base))
        values = self.python(found, process.pid)
        self.check_collections(values, facts)
        self.check_heap(values, facts)
        self.check_objects(values, facts)
        self.check_durations(values, facts)
        self.assertGreater(facts["stats"][0]["collections"], 20)
        self.assertGreater(
            values["python_gc_time_seconds_total"][(("generation", "0"),)], 0)
        info = dict(list(values["heapledger_python_info"])[0])
        self.assertEqual(info["implementation"], "CPython")
        self.assertEqual(info["version"], facts["version"].rstrip("+"))
        self.assertEqual(info["reason"], "none")
        self.assertEqual(values["heapledger_python_interpreters"][()], 1)
        return process, url, base, values

    def test_a_web_application_with_threads(self):
        process, url, base, _ = self.check_by_helper("python_web_app.py")
        # Pages of their own, and nothing of one on the other.
        python = {name for name, _, _ in samples(self.page(base, "/python"))}
        gc = {name for name, _, _ in samples(self.page(base, "/gc"))}
        self.assertIn("python_memory_objects", python)
        self.assertIn("python_gc_collections_total", gc)
        shared = {name for name in python & gc if "python" in name}
        self.assertEqual(shared, set())
        for page in ("/python", "/gc"):
            self.assertIn(promtool_says(self.page(base, page)), ([], None))
        self.ask(url + "/end")
        self.assertEqual(process.wait(timeout=30), 0)
        self.assertEqual(process.stderr.read(), b"")
        self.until(base, lambda found: not any(
            labels.get("pid") == str(process.pid) for _, labels, _ in found))

    def test_a_server_of_asyncio(self):
        process, url, _, _ = self.check_by_helper("python_async_app.py")
        self.ask(url + "/end")
        self.assertEqual(process.wait(timeout=30), 0)

    def test_counters_agree_under_load_and_only_grow(self):
        process, url = self.app(env=METRICS)
        base = self.collect()
        before = self.until_read(base, process.pid, "helper")
        for _ in range(5):
            self.load(url, requests=40)
            values = self.python(samples(self.page(base)), process.pid)
            for name in GC + ("python_memory_reference_cycles_total",
                              "python_gc_time_seconds_total"):
                for key, value in values[name].items():
                    self.assertGreaterEqual(value, before[name].get(key, 0))
            before = values

    def test_from_outside_without_the_helper(self):
        process, url = self.app()
        base = self.collect()
        self.until_read(base, process.pid, "outside")
        self.load(url, requests=100)
        facts = self.ask(url + "/facts")
        time.sleep(0.5)
        values = self.python(samples(self.page(base)), process.pid)
        self.check_collections(values, facts)
        info = dict(list(values["heapledger_python_info"])[0])
        self.assertEqual(info["reason"], "not_asked")
        for name in ("python_gc_time_seconds_total", "python_memory_objects",
                     "python_memory_heap_size_bytes"):
            self.assertNotIn(name, values)
        # Nobody made a thread in it: main alone, between requests.
        self.assertEqual(len(os.listdir(f"/proc/{process.pid}/task")), 1)

    def test_from_outside_without_the_shim(self):
        for python in [PYTHON] + other_interpreters():
            with self.subTest(python=python):
                process, url = self.app(python=python, preload=False)
                base = self.collect("--watch", str(process.pid))
                self.until_read(base, process.pid, "outside")
                self.load(url, requests=20)
                facts = self.ask(url + "/facts")
                time.sleep(0.5)
                values = self.python(samples(self.page(base)), process.pid)
                self.check_collections(values, facts)
                info = dict(list(values["heapledger_python_info"])[0])
                # Before 3.11 only the file's name tells, without the last part.
                self.assertTrue((facts["version"].rstrip("+") + ".").startswith(
                    info["version"] + "."), (info, facts["version"]))

    def test_other_versions_with_the_helper(self):
        for python in other_interpreters():
            with self.subTest(python=python):
                process, url = self.app(python=python, env=METRICS)
                base = self.collect()
                self.until_read(base, process.pid, "helper")
                self.load(url, requests=40)
                facts = self.ask(url + "/facts")
                time.sleep(1)
                values = self.python(samples(self.page(base)), process.pid)
                self.check_collections(values, facts)
                self.check_heap(values, facts)
                self.check_objects(values, facts)

    def test_sub_interpreters_are_counted(self):
        process = self.start(
            [PYTHON, "-c", "import _xxsubinterpreters as s\n"
             "a, b = s.create(), s.create()\nprint(1, flush=True)\ninput()"],
            stdin=subprocess.PIPE)
        for pipe in (process.stdin, process.stdout, process.stderr):
            self.addCleanup(pipe.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"1\n")
        base = self.collect()
        values = self.until_read(base, process.pid, "outside")
        self.assertEqual(values["heapledger_python_interpreters"][()], 3)

    def test_forked_children_have_helpers_of_their_own(self):
        process = self.start(
            [PYTHON, "-c",
             "import gc, os, time\n"
             "gc.disable()\n"
             "time.sleep(0.3)\n"
             "pid = os.fork()\n"
             "kept = [[i] for i in range(1000 if pid else 50000)]\n"
             "for _ in range(100 if pid else 7): gc.collect()\n"
             "print(pid, flush=True) if pid else None\n"
             "time.sleep(60)"], env=METRICS)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        child = int(process.stdout.readline())
        self.addCleanup(os.kill, child, 9)
        base = self.collect()
        self.until_read(base, process.pid, "helper")
        self.until_read(base, child, "helper")

        def full(found, pid):
            return self.python(found, pid)["python_gc_collections_total"][
                (("generation", "2"),)]
        self.until(base, lambda found: full(found, process.pid) -
                   full(found, child) == 93)
        lists = (("type", "list"),)
        found = self.until(base, lambda found: self.python(found, child).get(
            "python_memory_objects", {}).get(lists, 0) > 50000)
        self.assertLess(self.python(found, process.pid)[
            "python_memory_objects"][lists], 10000)

    def test_the_former_name_of_objects_on_request(self):
        process, _ = self.app(env=METRICS)
        base = self.collect("--python-objects-alias")
        self.until_read(base, process.pid, "helper")
        found = self.until(base, lambda found: self.python(
            found, process.pid)["python_memory_objects"])
        values = self.python(found, process.pid)
        self.assertEqual(values["python_memory_objects"],
                         values["python_memory_objects_total"])

    def test_says_that_the_kernel_refuses(self):
        if os.geteuid() != 0:
            self.skipTest("dropping capabilities takes root")
        process = self.start([PYTHON, "-c", "input()"], preload=False,
                             stdin=subprocess.PIPE)
        for pipe in (process.stdin, process.stdout, process.stderr):
            self.addCleanup(pipe.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        base = self.collect_without_rights("--watch", str(process.pid))
        values = self.until_read(base, process.pid, "off")
        info = dict(list(values["heapledger_python_info"])[0])
        self.assertEqual(info["reason"], "permission")
        self.assertNotIn("python_gc_collections_total", values)

    def collect_without_rights(self, *options):
        """A collector that may not look into programs with more rights."""
        process = subprocess.Popen(
            ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--",
             harness.CLI, "collect", "--listen", "127.0.0.1:0", "--dir",
             self.ledgers, "--interval", "0.2", *options],
            env=self.environment(False), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        line = process.stderr.readline().decode()
        match = re.search(r"http://[\d.]+:\d+", line)
        self.assertIsNotNone(match, line)
        return match.group(0)

    def test_a_program_without_python_gets_no_thread(self):
        process = self.start([harness.program("busy"), "1", "60"], env=METRICS)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"started\n")
        time.sleep(0.3)
        self.assertEqual(len(os.listdir(f"/proc/{process.pid}/task")), 2)

    def test_run_asks_for_it(self):
        done = subprocess.run(
            [harness.CLI, "run", "--python=metrics", "--dir", self.ledgers, "--",
             PYTHON, "-c", "import gc, time; time.sleep(0.3); "
             "print(len(gc.callbacks))"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
            env=self.environment(False))
        self.assertEqual((done.returncode, done.stdout), (0, b"1\n"),
                         done.stderr)


if __name__ == "__main__":
    unittest.main()
