# SPDX-License-Identifier: Apache-2.0
"""The helper thread of HEAPLEDGER_PYTHON=metrics in Python programs that do
what such a thread might break, with a look every millisecond: nothing hangs,
nothing crashes, and not a byte of output changes.

Environment: HEAPLEDGER_PYTHON_RUNS is how many runs there are in all (default:
each program once with each interpreter); interpreters are the system's and
those of pyenv.
"""

import glob
import os
import time
import unittest

import harness

PROGRAMS = {
    "a script that ends at once": "print('done')",
    "threads, and main blocked": """
import threading
def work(out):
    out.append(sum(len([j]) for j in range(20000)))
out = []
threads = [threading.Thread(target=work, args=(out,)) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(out)
""",
    "fork from threads": """
import os, threading
def work():
    for code in range(3):
        pid = os.fork()
        if pid == 0:
            junk = [[i] for i in range(2000)]
            os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) \\
            if hasattr(os, 'waitstatus_to_exitcode') \\
            else os.WEXITSTATUS(os.waitpid(pid, 0)[1])
        assert status == code, status
threads = [threading.Thread(target=work) for _ in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
print('forked')
""",
    "children that live on": """
import gc, os, time
pids = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        for _ in range(10):
            junk = [[i] for i in range(3000)]
            time.sleep(0.02)
        os._exit(len(gc.callbacks))
    pids.append(pid)
print(len(pids), {os.waitpid(pid, 0)[1] & 127 for pid in pids})
""",
    "a pool of processes": """
import multiprocessing
def double(x):
    return 2 * x
if __name__ == '__main__':
    with multiprocessing.get_context('fork').Pool(3) as pool:
        print(pool.map(double, range(50)))
""",
    "sub-interpreters": """
try:
    import _xxsubinterpreters as sub
except ImportError:
    try:
        import _interpreters as sub
    except ImportError:
        sub = None
if sub is not None:
    for _ in range(5):
        one = sub.create()
        run = sub.run_string if hasattr(sub, 'run_string') else sub.exec
        run(one, 'x = [[i] for i in range(3000)]')
        sub.destroy(one)
print('ended')
""",
    "daemon threads at the end": """
import threading, time
def work():
    while True:
        junk = [[i] for i in range(100)]
def rest():
    while True:
        time.sleep(0.001)
for target in (work, work, rest):
    threading.Thread(target=target, daemon=True).start()
time.sleep(0.05)
print('end')
""",
    "signals": """
import os, signal, threading, time
seen = []
def note(number, frame):
    assert threading.current_thread() is threading.main_thread()
    seen.append(number)
signal.signal(signal.SIGUSR1, note)
signal.signal(signal.SIGALRM, note)
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
for _ in range(20):
    os.kill(os.getpid(), signal.SIGUSR1)
    junk = [[i] for i in range(2000)]
signal.setitimer(signal.ITIMER_REAL, 0)
print(seen.count(signal.SIGUSR1) > 0, set(seen) <= {10, 14})
""",
    "asyncio": """
import asyncio
async def one(i):
    await asyncio.sleep(0.001 * (i % 5))
    return [[i] for i in range(200)]
async def main():
    loop = asyncio.get_running_loop()
    rows = await asyncio.gather(*(one(i) for i in range(50)))
    total = await loop.run_in_executor(None, lambda: sum(map(len, rows)))
    print(total)
asyncio.run(main())
""",
    "subprocesses": """
import subprocess, sys
for _ in range(3):
    print(subprocess.run([sys.executable, '-c', 'print(6 * 7)'],
                         stdout=subprocess.PIPE).stdout)
print(subprocess.run(['/bin/true'], preexec_fn=lambda: None).returncode)
""",
    "exec of itself": """
import os, sys
if len(sys.argv) < 4:
    os.execv(sys.executable, [sys.executable] + sys.orig_argv[1:] + ['again']
             if hasattr(sys, 'orig_argv')
             else [sys.executable, '-c', 'print(1)'])
print(len(sys.argv))
""",
    "finalizers run on the program's own threads": """
import gc, threading
names = set()
class Cycle:
    def __init__(self): self.me = self
    def __del__(self): names.add(threading.current_thread().name)
def work():
    for _ in range(20000): Cycle()
threads = [threading.Thread(target=work, name='own') for _ in range(2)]
[t.start() for t in threads]
[t.join() for t in threads]
gc.collect()
print(sorted(names))
""",
    "callbacks taken away": """
import gc, time
for _ in range(50):
    gc.callbacks.clear()
    gc.collect(0)
    time.sleep(0.002)
print(gc.isenabled())
""",
    "ids set for all threads": """
import os, threading
threading.Thread(target=lambda: os.setgid(os.getgid())).start()
os.setuid(os.getuid())
print('set')
""",
    "collection switched off": """
import gc, time
gc.disable()
seen = set()
for _ in range(50):
    junk = [[i] for i in range(1000)]
    seen.add(gc.isenabled())
    time.sleep(0.001)
print(seen, sum(s['collections'] for s in gc.get_stats()) < 1000)
""",
    "an exception at the end": """
import atexit
atexit.register(lambda: print('at exit'))
raise SystemExit(3)
""",
}


def interpreters():
    found = ["/usr/bin/python3"]
    for path in sorted(glob.glob(
            os.path.expanduser("~/.pyenv/versions/3.*/bin/python3"))):
        minor = int(path.split("/versions/3.")[1].split(".")[0])
        if minor >= 8:
            found.append(path)
    return found


def cases():
    """Program and interpreter of each run, over and over."""
    while True:
        for python in interpreters():
            for name, text in PROGRAMS.items():
                yield name, python, text


class PythonHelperTest(harness.ShimTest):

    def setUp(self):
        super().setUp()
        self.expected = {}

    def command(self, python, text):
        return [python, "-I", "-S", "-W", "ignore", "-c", text]

    def bare(self, python, text):
        key = (python, text)
        if key not in self.expected:
            done = self.run_command(self.command(python, text), preload=False,
                                    timeout=60)
            self.expected[key] = (done.status, done.out, done.err)
        return self.expected[key]

    def clear(self):
        for path in glob.glob(os.path.join(self.ledgers, "*")):
            os.unlink(path)

    def test_programs_run_as_without_it(self):
        runs = int(os.environ.get("HEAPLEDGER_PYTHON_RUNS",
                                  len(PROGRAMS) * len(interpreters())))
        environment = {"HEAPLEDGER_PYTHON": "metrics",
                       "HEAPLEDGER_PYTHON_REFRESH_MS": "1",
                       "HEAPLEDGER_PYTHON_CENSUS_MS": "5"}
        begin = time.monotonic()
        with_helper = 0
        for run, (name, python, text) in zip(range(runs), cases()):
            with self.subTest(program=name, python=python, run=run):
                expected = self.bare(python, text)
                done = self.run_command(self.command(python, text),
                                        env=environment, timeout=60)
                self.assertEqual((done.status, done.out, done.err), expected)
            with_helper += self.had_helper()
            self.clear()
        print(f"{runs} runs in {time.monotonic() - begin:.0f} s, a helper in "
              f"{with_helper}")
        # A script that ends at once may end before there is one.
        self.assertGreater(with_helper, runs * 3 // 4)

    def test_a_library_that_is_loaded_late_and_for_one_alone(self):
        libraries = glob.glob("/usr/lib/*/libpython3.*[0-9].so.1.0") + [
            path for python in interpreters()[1:] for path in
            glob.glob(python.split("/bin/")[0] + "/lib/libpython3.*.so.1.0")]
        if not libraries:
            self.skipTest("there is no libpython")
        for library in libraries:
            for times in (1, 3):
                with self.subTest(library=library, times=times):
                    done = self.run_command(
                        [harness.program("python_embedded"), library,
                         str(times)],
                        env={"HEAPLEDGER_PYTHON": "metrics",
                             "HEAPLEDGER_PYTHON_REFRESH_MS": "1"}, timeout=60)
                    # The helper ends with the first interpreter.
                    self.assertEqual(
                        (done.status, done.out, done.err),
                        (0, b"1\n" + b"0\n" * (times - 1), b""))

    def had_helper(self):
        """Whether some ledger has a record of an installed helper."""
        return any(map(self.installed, self.ledger_files()))

    def installed(self, path):
        """The extents say where the record is; its state is a word of it."""
        with open(path, "rb") as file:
            file.seek(2 * 4096)
            extents = file.read(4096)
            for at in range(0, len(extents), 16):
                kind = extents[at]
                if kind == 16:
                    page = int.from_bytes(extents[at + 8:at + 12], "little")
                    file.seek(page * 4096 + 12)
                    return int.from_bytes(file.read(4), "little") in (2, 3)
        return False


if __name__ == "__main__":
    unittest.main()
