# SPDX-License-Identifier: Apache-2.0
"""Python programs at their worst: no crash, and every stack is what a walk gives
that remembers nothing.

The shim that checks takes each stack twice.
"""

import glob
import os
import unittest

import harness
from python_heap import READ, Heap, interpreters

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPES = os.path.join(os.path.dirname(HERE), "e2e", "python", "shapes.py")
CHECKING = os.path.join(os.path.dirname(harness.SHIM),
                        "libheapledger-checking.so")
INTERPRETERS = interpreters()
OLDER = interpreters(range(6, 8))
PYENV = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
LIBRARIES = sorted(
    glob.glob("/usr/lib/*/libpython3.*[0-9].so.1.0") +
    glob.glob(f"{PYENV}/versions/3.*/lib/libpython3.*.so.1.0"))

# Threads that start and end, fork, raise, and take signals, all at once.
STORM = """
import faulthandler, os, signal, sys, threading, time
signal.signal(signal.SIGALRM, lambda *_: [bytes(50) for _ in range(5)])
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
END = time.monotonic() + 3

def churn(depth=0):
    try:
        if depth < 30:
            return churn(depth + 1)
        exec(compile("def f(): return [bytes(100)]\\nf()", "<made>", "exec"), {})
        raise KeyError(bytes(200))
    except KeyError as error:
        return error.args[0]

def work():
    while time.monotonic() < END:
        churn()
        made = (churn() for _ in range(3))
        list(made)

def short():
    churn()

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
while time.monotonic() < END:
    brief = threading.Thread(target=short)
    brief.start()
    brief.join()
    child = os.fork()
    if child == 0:
        churn()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
for thread in threads:
    thread.join()
signal.setitimer(signal.ITIMER_REAL, 0)
# Threads that outlive the interpreter.
for _ in range(3):
    threading.Thread(target=lambda: [churn() for _ in range(10**9)],
                     daemon=True).start()
print("done")
"""


class PythonTest(harness.ShimTest):

    def heap_of(self, done):
        """The ledger of a run; the others are removed."""
        heap = Heap(self, self.ledger_files(done.pid)[-1])
        for file in self.ledger_files():
            os.unlink(file)
        return heap

    def test_a_storm_of_threads_forks_signals_and_exceptions(self):
        for version, path in INTERPRETERS.items():
            with self.subTest(version=version):
                done = self.run_command([path, "-c", STORM], env=READ)
                self.assertEqual((done.status, done.out), (0, b"done\n"),
                                 done.err)
                self.assertTrue([site for site in self.heap_of(done).sites
                                 if site.names()[:2] == ["churn", "churn"]])

    def test_every_stack_is_that_of_a_walk_that_remembers_nothing(self):
        for version, path in INTERPRETERS.items():
            for kind in ("through_c", "generators", "coroutines", "exceptions",
                         "exec_again", "threads", "destructors"):
                with self.subTest(version=version, kind=kind):
                    done = self.run_command([path, SHAPES, kind], env=READ,
                                            preload=[CHECKING])
                    self.assertEqual(done.status, 0, done.err)
                    self.assertTrue(self.heap_of(done).sites)

    def test_an_interpreter_that_comes_and_goes_as_a_library(self):
        if not LIBRARIES:
            self.skipTest("there is no shared libpython")
        script = "import json; x = [json.dumps([i]) for i in range(200)]"
        for library in LIBRARIES:
            home = os.path.dirname(os.path.dirname(library))
            env = {**READ, "PYTHONHOME":
                   "/usr" if library.startswith("/usr") else home}
            command = [harness.program("python_host"), library, "3", script]
            with self.subTest(library=library):
                bare = self.run_command(command, preload=False, env=env)
                done = self.run_command(command, env=env)
                self.assertEqual((done.status, done.out),
                                 (bare.status, bare.out), done.err)
                heap = self.heap_of(done)
                if bare.status != 0 or "3.7" in library or "3.6" in library:
                    continue
                self.assertTrue([site for site in heap.sites if any(
                    frame["file"].endswith("encoder.py")
                    for frame in site.python)])

    def test_other_versions_are_left_alone(self):
        for version, path in OLDER.items():
            with self.subTest(version=version):
                done = self.run_command([path, "-c", "print(1)"], env=READ)
                self.assertEqual((done.status, done.out), (0, b"1\n"), done.err)
                self.assertFalse([site for site in self.heap_of(done).sites
                                  if site.python])

    def test_stacks_that_are_not_full_are_said_to_have_no_python_frames(self):
        done = self.run_command(["/usr/bin/python3", "-c", "pass"],
                                env={**READ, "HEAPLEDGER_STACK": "caller"})
        remarks = self.heap_of(done).remarks
        self.assertTrue([remark for remark in remarks
                         if "Python frames need --stack full" in remark],
                        remarks)


if __name__ == "__main__":
    unittest.main()
