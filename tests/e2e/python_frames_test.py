# SPDX-License-Identifier: Apache-2.0
"""Stacks of Python programs name the Python code, to the byte and line.

Runs on every CPython that is there: the system's, and those of pyenv.
"""

import collections
import functools
import glob
import gzip
import os
import re
import subprocess
import unittest

import harness
import python_heap
from python_heap import READ, Heap

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "python")
PLANTED = os.path.join(HERE, "planted.py")
SHAPES = os.path.join(HERE, "shapes.py")
KINDS = ("plain", "through_c", "generators", "coroutines", "exceptions",
         "recursion", "exec_again", "threads", "signals", "destructors",
         "interpreters")
INTERPRETERS = python_heap.interpreters()
LOOP = "_PyEval_EvalFrameDefault"

# Prints, for each block, its size and the lines of its stack by Python's own
# account.
LINES = """
import os, sys, traceback
HELD = []
def hold(size):
    stack = traceback.extract_stack()
    block = bytes(size)
    HELD.append(block)
    print(6, *[f.lineno for f in reversed(stack)][1:])
def one(size):
    return (hold(size),
            hold(size + 1), [
                hold(size + 2)])
for i in range(2):
    one(7000 + i * 10)

try:
    one(
        7100)
finally:
    one(7200)
sys.stdout.flush()
os._exit(0)
"""


def on_every_interpreter(test):
    """Runs a test with the path of each interpreter, on ledgers of its own."""
    @functools.wraps(test)
    def run(self):
        for version, path in INTERPRETERS.items():
            with self.subTest(version=version):
                for ledger in glob.glob(os.path.join(self.ledgers, "*")):
                    os.unlink(ledger)
                test(self, path)
    return run


def marks(path):
    """line number -> mark, of the lines that have one."""
    with open(path, encoding="utf-8") as lines:
        found = ((number, re.search(r"# mark: (\w+)", line))
                 for number, line in enumerate(lines, 1))
        return {number: mark.group(1) for number, mark in found if mark}


def said(out):
    """What a script said of its blocks: name -> [bytes, objects]."""
    sums = collections.defaultdict(lambda: [0, 0])
    for line in out.decode().splitlines():
        name, size, objects = line.split()
        sums[name][0] += int(size)
        sums[name][1] += int(objects)
    return dict(sums)


def add(sums, name, live):
    sums[name] = [a + b for a, b in zip(sums.get(name, [0, 0]), live)]


@unittest.skipUnless(INTERPRETERS, "there is no CPython of 3.8 to 3.13")
class PythonFramesTest(harness.ShimTest):

    def run_python(self, path, *arguments, env=None):
        done = self.run_command([path, *arguments], env={**READ, **(env or {})})
        self.assertEqual(done.status, 0, done.err)
        return done, Heap(self, self.ledger_files(done.pid)[-1])

    def cli(self, *arguments):
        done = subprocess.run(
            [harness.CLI, *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=240, env=self.environment(False),
            check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    @on_every_interpreter
    def test_planted_leaks_stand_at_their_lines_to_the_byte(self, path):
        mark_of = marks(PLANTED)
        done, heap = self.run_python(path, PLANTED)
        live = {}
        for site in heap.sites:
            if not site.python or site.python[0]["file"] != PLANTED:
                continue
            mark = mark_of.get(site.python[0]["line"])
            if mark is not None:
                add(live, mark, site.live)
        self.assertEqual(live, said(done.out))

    @on_every_interpreter
    def test_every_shape_of_a_stack(self, path):
        for kind in KINDS:
            with self.subTest(kind=kind):
                done, heap = self.run_python(path, SHAPES, kind)
                self.check_chains(heap, said(done.out))

    def check_chains(self, heap, chains):
        """The live blocks of bytes() in hold(), by the chain that led there.

        A chain that ends in "*" stands for all that begin like it.
        """
        live = {}
        for site in heap.sites:
            names = site.names()
            if names[:1] != ["hold"]:
                continue
            whole = ",".join(names)
            fitting = [chain for chain in chains if chain.endswith(",*") and
                       (whole + ",").startswith(chain[:-1])]
            name = whole if whole in chains else (fitting or [whole])[0]
            add(live, name, site.live)
        self.assertEqual({chain: live.get(chain) for chain in chains}, chains)

    @on_every_interpreter
    def test_a_forked_child_knows_its_own_blocks_and_its_parents(self, path):
        done, _ = self.run_python(path, SHAPES, "forks")
        heaps = [Heap(self, ledger) for ledger in self.ledger_files()]
        child = next(heap for heap in heaps
                     if any(site.inherited for site in heap.sites))
        self.assertNotEqual(child.pid, done.pid)
        own, inherited = [0, 0], [0, 0]
        for site in child.sites:
            if site.names() == ["hold", "forks", "<module>"]:
                into = inherited if site.inherited else own
                into[0] += site.live[0]
                into[1] += site.live[1]
        lines = [line.split() for line in done.out.decode().splitlines()]
        self.assertEqual(inherited, [int(n) for n in lines[0][1:]])
        self.assertEqual(own, [int(n) for n in lines[1][1:]])

    @on_every_interpreter
    def test_loops_are_replaced_and_what_lies_between_them_is_kept(self, path):
        _, heap = self.run_python(path, SHAPES, "through_c")
        # Without the function or class that a Python function was made in.
        stacks = [[frame["function"].rsplit(".", 1)[-1]
                   if frame.get("python") else frame["function"]
                   for frame in site.stack]
                  for site in heap.sites if site.python]
        loops = [stack for stack in stacks if LOOP in stack]
        # A loop may be about to begin its first frame.
        self.assertLess(len(loops), len(stacks) / 20, loops[:3])
        sort = [stack for stack in stacks
                if "key" in stack and "through_c" in stack]
        self.assertTrue(sort)
        for stack in sort:
            between = stack[stack.index("key"):stack.index("through_c")]
            self.assertTrue(any("sort" in name for name in between), stack)

    @on_every_interpreter
    def test_lines_are_those_of_the_interpreter_itself(self, path):
        script = os.path.join(self.scratch, "lines.py")
        with open(script, "w", encoding="utf-8") as out:
            out.write(LINES)
        done, heap = self.run_python(path, script)
        expected = {tuple(map(int, line.split()))
                    for line in done.out.decode().splitlines()}
        seen = {tuple(frame["line"] for frame in site.python)
                for site in heap.sites
                if site.names() == ["hold", "one", "<module>"] and
                site.python[0]["line"] == 6 and site.live[1]}
        self.assertEqual(seen, expected)

    @on_every_interpreter
    def test_the_same_code_has_the_same_fingerprint_again(self, path):
        found = []
        for _ in range(2):
            _, heap = self.run_python(path, PLANTED)
            found.append({site.callsite for site in heap.sites
                          if site.function == "fill_list" and site.live[1]})
        self.assertTrue(found[0])
        self.assertEqual(found[0], found[1])

    @on_every_interpreter
    def test_without_being_asked_stacks_stay_native(self, path):
        done = self.run_command([path, PLANTED], env={"PYTHONMALLOC": "malloc"})
        heap = Heap(self, self.ledger_files(done.pid)[-1])
        self.assertTrue(heap.sites)
        self.assertFalse([site for site in heap.sites if site.python])

    @on_every_interpreter
    def test_samples_have_python_frames_too(self, path):
        self.mode = "sampled"
        _, heap = self.run_python(path, PLANTED)
        live = sum(site.live[0] for site in heap.sites
                   if site.names()[:1] == ["fill_list"])
        # One sample a kilobyte on average: some 200 of 203,300 bytes.
        self.assertAlmostEqual(live, 203300, delta=60000)

    def test_every_export_names_function_file_and_line(self):
        path = next(iter(INTERPRETERS.values()))
        done, _ = self.run_python(path, PLANTED)
        ledger = self.ledger_files(done.pid)[-1]
        line = next(n for n, mark in marks(PLANTED).items() if mark == "list")
        named = os.path.join(self.scratch, "named.hl")
        bare = os.path.join(self.scratch, "bare.hl")
        self.cli("snapshot", ledger, "-o", named)
        self.cli("snapshot", ledger, "-o", bare, "--no-symbols")
        for source in (ledger, named, bare):
            for suffix in (".folded", ".json", ".speedscope.json", ".svg",
                           ".pb.gz", ".txt"):
                with self.subTest(source=source, suffix=suffix):
                    out = os.path.join(self.scratch, "out" + suffix)
                    self.cli("snapshot", source, "--force", "-o", out)
                    opened = gzip.open if suffix == ".pb.gz" else open
                    with opened(out, "rb") as file:
                        content = file.read()
                    self.assertIn(b"fill_list", content)
                    if suffix not in (".folded", ".svg", ".txt"):
                        self.assertIn(b"planted.py", content)
            text = self.cli("report", source, "--limit", "4")
            self.assertIn(f"planted.py:{line}", text)

    def test_run_takes_a_script(self):
        done = subprocess.run(
            [harness.CLI, "run", "--python", "--discard", "--", SHAPES,
             "plain"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=240, env=self.environment(False), check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"hold,middle,plain,<module>", done.stdout)
        self.assertIn(b"importlib._bootstrap", done.stderr)

    def test_run_may_leave_the_allocator_in_place(self):
        for option, expected in (("--python", b"malloc frames\n"),
                                 ("--python=malloc", b"malloc frames\n"),
                                 ("--python=arenas", b"None frames\n")):
            done = subprocess.run(
                [harness.CLI, "run", option, "--discard", "--",
                 "/usr/bin/python3", "-c", "import os; "
                 "print(os.environ.get('PYTHONMALLOC'), "
                 "os.environ['HEAPLEDGER_PYTHON'])"], stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, timeout=240,
                env=self.environment(False), check=False)
            self.assertEqual(done.stdout, expected, done.stderr)


if __name__ == "__main__":
    unittest.main()
