# SPDX-License-Identifier: Apache-2.0
"""Stacks of Python programs name the Python code, to the byte and line.

Runs on every CPython that is there: the system's, and those of pyenv.
"""

import collections
import glob
import gzip
import os
import re
import subprocess
import unittest

import harness

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "python")
PLANTED = os.path.join(HERE, "planted.py")
SHAPES = os.path.join(HERE, "shapes.py")
KINDS = ("plain", "through_c", "generators", "coroutines", "exceptions",
         "recursion", "exec_again", "threads", "signals", "forks",
         "destructors")
READ = {"HEAPLEDGER_PYTHON": "frames", "PYTHONMALLOC": "malloc"}


def interpreters():
    """version ("3.11") -> path of an interpreter whose frames can be read."""
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    found = {}
    for path in ["/usr/bin/python3",
                 *sorted(glob.glob(f"{root}/versions/3.*/bin/python3"))]:
        asked = subprocess.run(
            [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        version = asked.stdout.decode().strip()
        if asked.returncode == 0 and 8 <= int(version.split(".")[1]) <= 13:
            # The system's own is a static one, others are shared.
            name = version + (" system" if path.startswith("/usr") else "")
            found[name] = path
    return found


INTERPRETERS = interpreters()


def is_python(frame):
    return frame["file"].endswith((".py", ">")) or frame["module"] == "[python]"


def python_frames(site):
    """The Python frames of a callsite, innermost first."""
    return [frame for frame in site["stack"] if is_python(frame)]


def short(frame):
    return frame["function"].rsplit(".", 1)[-1]


@unittest.skipUnless(INTERPRETERS, "there is no CPython of 3.8 to 3.13")
class PythonFramesTest(harness.ShimTest):

    def run_python(self, path, *arguments, env=None):
        done = self.run_command([path, *arguments], env={**READ, **(env or {})})
        self.assertEqual(done.status, 0, done.err)
        report = self.report(self.ledger_files(done.pid)[-1])
        for name in ("foreign_free", "unseen_free", "untracked_block",
                     "codes_full"):
            self.assertEqual(report["degraded"].get(name, 0), 0, name)
        return done, report

    def each_interpreter(self):
        for version, path in INTERPRETERS.items():
            with self.subTest(version=version):
                yield path

    @staticmethod
    def marks(path):
        """line number -> mark, of the lines that have one."""
        with open(path, encoding="utf-8") as lines:
            found = ((number, re.search(r"# mark: (\w+)", line))
                     for number, line in enumerate(lines, 1))
            return {number: mark.group(1) for number, mark in found if mark}

    def test_planted_leaks_stand_at_their_lines_to_the_byte(self):
        marks = self.marks(PLANTED)
        for path in self.each_interpreter():
            done, report = self.run_python(path, PLANTED)
            live = {mark: [0, 0] for mark in marks.values()}
            for site in report["callsites"]:
                frames = python_frames(site)
                if not frames or not frames[0]["file"].endswith("planted.py"):
                    continue
                mark = marks.get(frames[0]["line"])
                if mark is not None:
                    live[mark][0] += site["live_bytes"]
                    live[mark][1] += site["live_objects"]
            expected = {}
            for line in done.out.decode().splitlines():
                mark, size, objects = line.split()
                expected[mark] = [int(size), int(objects)]
            self.assertEqual(set(expected), set(live))
            self.assertEqual(live, expected)

    def expected_chains(self, out):
        chains = collections.defaultdict(lambda: [0, 0])
        for line in out.decode().splitlines():
            chain, size, objects = line.split()
            chains[chain][0] += int(size)
            chains[chain][1] += int(objects)
        return chains

    def check_chains(self, report, chains):
        """The live blocks of bytes() in hold(), by the chain that led there."""
        seen = dict.fromkeys(chains)
        for site in report["callsites"]:
            names = [short(frame) for frame in python_frames(site)]
            if not names or names[0] != "hold":
                continue
            for chain in chains:
                wanted = chain.split(",")
                open_end = wanted[-1] == "*"
                if open_end:
                    fits = names[:len(wanted) - 1] == wanted[:-1]
                else:
                    fits = names == wanted
                # A chain with an open end takes what no whole one does.
                if fits and not (open_end and ",".join(names) in chains):
                    seen[chain] = seen[chain] or [0, 0]
                    seen[chain][0] += site["live_bytes"]
                    seen[chain][1] += site["live_objects"]
        self.assertEqual(seen, dict(chains))

    def test_every_shape_of_a_stack(self):
        for path in self.each_interpreter():
            for kind in KINDS:
                with self.subTest(kind=kind):
                    done, report = self.run_python(path, SHAPES, kind)
                    self.check_chains(report, self.expected_chains(done.out)
                                      if kind != "forks" else
                                      self.parents_part(done.out))

    def parents_part(self, out):
        """What a program that forked said itself, before its child did."""
        lines = out.splitlines(keepends=True)
        return self.expected_chains(b"".join(lines[:1]))

    def test_a_forked_child_knows_its_own_blocks_and_those_it_inherited(self):
        for path in self.each_interpreter():
            done, _ = self.run_python(path, SHAPES, "forks")
            ledgers = [self.report(path) for path in self.ledger_files()]
            child = [report for report in ledgers
                     if report["process"]["parent_pid"] == done.pid]
            self.assertEqual(len(child), 1)
            own, inherited = [0, 0], [0, 0]
            for site in child[0]["callsites"]:
                names = [short(frame) for frame in python_frames(site)]
                if names != ["hold", "forks", "<module>"]:
                    continue
                into = inherited if site["inherited"] else own
                into[0] += site["live_bytes"]
                into[1] += site["live_objects"]
            lines = [line.split() for line in done.out.decode().splitlines()]
            self.assertEqual(inherited, [int(n) for n in lines[0][1:]])
            self.assertEqual(own, [int(n) for n in lines[1][1:]])
            for file in self.ledger_files():
                os.unlink(file)

    def test_sub_interpreters_do_no_harm(self):
        for path in self.each_interpreter():
            done, report = self.run_python(path, SHAPES, "interpreters")
            self.check_chains(report, self.expected_chains(done.out))

    def test_loops_are_replaced_and_what_lies_between_them_is_kept(self):
        for path in self.each_interpreter():
            _, report = self.run_python(path, SHAPES, "through_c")
            names = [
                [frame["function"] for frame in site["stack"]]
                for site in report["callsites"] if python_frames(site)]
            self.assertTrue(names)
            loops = [stack for stack in names
                     if "_PyEval_EvalFrameDefault" in stack]
            # A loop may be about to begin its first frame.
            self.assertLess(len(loops), len(names) / 20, loops[:3])
            sort = [stack for stack in names
                    if "key" in stack and "through_c" in stack]
            self.assertTrue(sort)
            for stack in sort:
                between = stack[stack.index("key"):stack.index("through_c")]
                self.assertTrue(any("sort" in name for name in between), stack)

    def test_lines_are_those_of_the_interpreter_itself(self):
        script = os.path.join(self.scratch, "lines.py")
        with open(script, "w", encoding="utf-8") as out:
            out.write(
                "import os, sys, traceback\n"
                "HELD = []\n"
                "def hold(size):\n"
                "    stack = traceback.extract_stack()\n"
                "    block = bytes(size)\n"
                "    HELD.append(block)\n"
                "    lines = [f.lineno for f in reversed(stack)]\n"
                "    print(size + 33, *[5, *lines[1:]])\n"
                "    return block\n"
                "def one(size):\n"
                "    return (hold(size),\n"
                "            hold(size + 1), [\n"
                "                hold(size + 2)])\n"
                "for i in range(2):\n"
                "    one(7000 + i * 10)\n"
                "\n"
                "try:\n"
                "    one(\n"
                "        7100)\n"
                "finally:\n"
                "    one(7200)\n"
                "sys.stdout.flush()\n"
                "os._exit(0)\n")
        for path in self.each_interpreter():
            done, report = self.run_python(path, script)
            expected = set()
            for line in done.out.decode().splitlines():
                size, *lines = map(int, line.split())
                expected.add((size, tuple(lines)))
            seen = set()
            for site in report["callsites"]:
                frames = python_frames(site)
                if [short(f) for f in frames] != ["hold", "one", "<module>"]:
                    continue
                if frames[0]["line"] != 5 or site["live_objects"] == 0:
                    continue
                lines = tuple(frame["line"] for frame in frames)
                seen.add(lines)
            self.assertEqual(seen, {lines for _, lines in expected})

    def test_exports_name_function_file_and_line(self):
        path = INTERPRETERS["3.11 system"] if "3.11 system" in INTERPRETERS \
            else next(iter(INTERPRETERS.values()))
        done, report = self.run_python(path, PLANTED)
        ledger = self.ledger_files(done.pid)[-1]
        line = next(n for n, m in self.marks(PLANTED).items() if m == "list")
        top = max((site for site in report["callsites"]
                   if python_frames(site) and
                   python_frames(site)[0]["line"] == line),
                  key=lambda site: site["live_bytes"])
        self.assertEqual((top["function"], top["line"]), ("fill_list", line))
        snapshot = os.path.join(self.scratch, "heap.hl")
        self.cli("snapshot", ledger, "-o", snapshot)
        self.cli("snapshot", ledger, "-o", snapshot + ".bare.hl",
                 "--no-symbols")
        for source in (ledger, snapshot, snapshot + ".bare.hl"):
            for form in ("folded", "json", "speedscope", "html", "pb"):
                with self.subTest(source=source, form=form):
                    out = os.path.join(self.scratch, "out")
                    suffix = {"speedscope": ".speedscope.json",
                              "pb": ".pb.gz"}.get(form, "." + form)
                    self.cli("snapshot", source, "--force", "-o", out + suffix)
                    if form == "pb":
                        self.check_pprof(out + suffix, line)
                        continue
                    with open(out + suffix, encoding="utf-8") as text:
                        text = text.read()
                    self.assertIn("fill_list", text)
                    if form != "folded":
                        self.assertIn("planted.py", text)
        text = self.cli("report", ledger, "--limit", "3")
        self.assertIn(f"planted.py:{line}", text)
        fingerprints = {site["callsite"] for site in report["callsites"]
                        if site["function"] == "fill_list"}
        again, report = self.run_python(path, PLANTED)
        self.assertTrue(fingerprints & {
            site["callsite"] for site in report["callsites"]})
        self.assertEqual(again.out, done.out)

    def cli(self, *arguments):
        done = subprocess.run(
            [harness.CLI, *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=120, env=self.environment(False),
            check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def check_pprof(self, path, line):
        with gzip.open(path) as file:
            strings = file.read()
        self.assertIn(b"fill_list", strings)
        self.assertIn(b"planted.py", strings)
        self.assertIn(line.to_bytes(1, "little"), strings)

    def test_run_takes_a_script(self):
        out = os.path.join(self.scratch, "heap.json")
        done = subprocess.run(
            [harness.CLI, "run", "--python", "--dir", self.ledgers, "-o", out,
             "--", SHAPES, "plain"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=120, env=self.environment(False),
            check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"hold,middle,plain,<module>", done.stdout)
        with open(out, encoding="utf-8") as file:
            self.assertIn("middle", file.read())
        arenas = subprocess.run(
            [harness.CLI, "run", "--python=arenas", "--", "/usr/bin/python3",
             "-c", "import os; print(os.environ.get('PYTHONMALLOC'), "
             "os.environ['HEAPLEDGER_PYTHON'])"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=120, env=self.environment(False),
            check=False)
        self.assertEqual(arenas.stdout, b"None frames\n", arenas.stderr)

    def test_without_being_asked_stacks_stay_native(self):
        for path in self.each_interpreter():
            done = self.run_command([path, PLANTED],
                                    env={"PYTHONMALLOC": "malloc"})
            report = self.report(self.ledger_files(done.pid)[-1])
            self.assertFalse([site for site in report["callsites"]
                              if python_frames(site)])

    def test_the_same_counts_with_and_without_frames(self):
        env = {"PYTHONHASHSEED": "0", **READ}
        for path in self.each_interpreter():
            totals = []
            for extra in ({}, {"HEAPLEDGER_PYTHON": "off"}):
                done = self.run_command([path, PLANTED], env={**env, **extra})
                report = self.report(self.ledger_files(done.pid)[-1])
                totals.append(report["totals"])
            self.assertEqual(totals[0]["live_objects"],
                             totals[1]["live_objects"])

    def test_samples_have_python_frames_too(self):
        self.mode = "sampled"
        for path in self.each_interpreter():
            _, report = self.run_python(path, PLANTED)
            bytes_by = collections.Counter()
            for site in report["callsites"]:
                frames = python_frames(site)
                if frames and frames[0]["file"].endswith("planted.py"):
                    bytes_by[short(frames[0])] += site["live_bytes"]
            # One sample a kilobyte on average: 200 of 200 KB.
            self.assertAlmostEqual(bytes_by["fill_list"], 203300, delta=60000)


if __name__ == "__main__":
    unittest.main()
