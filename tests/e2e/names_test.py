# SPDX-License-Identifier: Apache-2.0
"""Right names come out of the report, whatever became of the files: stripped,
unloaded, deleted, in another mount namespace, compiled just in time."""

import glob
import os
import shutil
import subprocess
import unittest

import harness
from scenarios import scenario

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
CARGO = os.path.expanduser("~/.cargo/bin")

SCRIPT = """
function makeThing(i) { return [i, i + 1, "x" + i]; }
function outer(n) { const s = []; for (let i = 0; i < n; i++) s.push(makeThing(i)); return s; }
let keep; for (let k = 0; k < 400; k++) keep = outer(2000);
function makeBuffers() { const b = []; for (let i = 0; i < 500; i++) b.push(Buffer.allocUnsafeSlow(5000 + i)); return b; }
let buffers; for (let k = 0; k < 30; k++) buffers = makeBuffers();
console.log(keep.length + buffers.length);
"""


def line_of(tag, source="named.cc"):
    with open(os.path.join(SOURCE, source)) as file:
        for number, line in enumerate(file, 1):
            if f"// at: {tag}\n" in line:
                return number
    raise KeyError(tag)


class NamesTest(harness.ShimTest):

    def find(self, report, size, objects=1):
        """The frames of the callsite that holds `size` bytes."""
        for site in report["callsites"]:
            if (site["live_bytes"], site["live_objects"]) == (size, objects):
                return site["stack"]
        self.fail(f"no callsite holds {size} bytes")

    def names(self, stack):
        return [frame["function"] for frame in stack]

    def check_named(self, report, lines=True):
        stack = self.find(report, 3000)
        keep = [frame for frame in stack
                if frame["function"] == "void named::Keep<long>(long)"]
        self.assertEqual(len(keep), 1, self.names(stack))
        static = self.find(report, 777)
        self.assertIn("named::KeepStatic()", self.names(static))
        if not lines:
            return
        self.assertEqual(keep[0]["line"], line_of("keep"))
        inner = stack[stack.index(keep[0]) - 1]
        self.assertEqual(inner["function"].split("(")[0], "named::Inner")
        self.assertEqual(inner["line"], line_of("inner"))

    def run_named(self, program, arguments=()):
        done = self.run_command([program, *arguments])
        self.assertEqual(done.status, 0, done.err)
        return self.only_report(done.pid)

    def start_named(self, command, **kwargs):
        process = self.start(command, stdin=subprocess.PIPE, **kwargs)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def test_pie_and_non_pie(self):
        for name in ("named", "named_no_pie"):
            with self.subTest(program=name):
                self.check_named(self.run_named(harness.program(name)))

    def test_stripped_with_a_separate_debug_file(self):
        program = os.path.join(self.scratch, "named")
        debug = os.path.join(self.scratch, ".debug", "named.debug")
        os.mkdir(os.path.dirname(debug))
        shutil.copy(harness.program("named"), program)
        subprocess.run(["objcopy", "--only-keep-debug", program, debug],
                       check=True)
        subprocess.run(["objcopy", "--strip-all",
                        f"--add-gnu-debuglink={debug}", program], check=True)
        self.check_named(self.run_named(program))

    @scenario(27)
    def test_plugins_that_are_gone(self):
        plugins = [harness.program(f"named_plugin_{which}.so")
                   for which in ("first", "second")]
        report = self.run_named(harness.program("named"), plugins)
        self.check_named(report)
        for size, function, other in ((11000, "KeepFirst", "KeepSecond"),
                                      (12000, "KeepSecond", "KeepFirst")):
            names = self.names(self.find(report, size))
            self.assertIn(function, names)
            self.assertNotIn(other, names)
            self.assertEqual(names[names.index(function) + 1], "PluginEntry")

    def test_a_running_program_whose_file_is_deleted(self):
        program = os.path.join(self.scratch, "named")
        shutil.copy(harness.program("named"), program)
        process = self.start_named([program])
        os.unlink(program)
        self.check_named(self.only_report(process.pid))
        # Another program in its place changes nothing.
        shutil.copy("/bin/true", program)
        self.check_named(self.only_report(process.pid))

    def test_a_running_program_in_a_mount_namespace_of_its_own(self):
        hidden = os.path.join(self.scratch, "hidden")
        os.mkdir(hidden)
        script = (f"mount -t tmpfs tmpfs {hidden} && "
                  f"cp {harness.program('named')} {hidden}/named && "
                  f"LD_PRELOAD={harness.SHIM} exec {hidden}/named")
        unshare = ["unshare", "--mount", "--map-root-user"]
        probe = subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL)
        if probe.returncode != 0:
            self.skipTest("needs unshare")
        process = self.start_named(
            [*unshare, "sh", "-c", script], preload=False,
            env={"HEAPLEDGER_DIR": self.ledgers})
        self.assertFalse(os.path.exists(os.path.join(hidden, "named")))
        self.check_named(self.only_report(process.pid))

    def node(self):
        node = shutil.which("node")
        if node is None:
            self.skipTest("needs node")
        script = os.path.join(self.scratch, "script.js")
        with open(script, "w") as file:
            file.write(SCRIPT)
        return node, script

    def jit_frames(self, report):
        return {frame["function"]: frame
                for site in report["callsites"] for frame in site["stack"]
                if frame["module"] == "[jit]"}

    @scenario(26)
    def test_code_that_node_names_in_a_perf_map(self):
        node, script = self.node()
        done = self.run_command(
            [node, "--perf-basic-prof", "--interpreted-frames-native-stack",
             script], cwd=self.scratch)
        self.addCleanup(os.unlink, f"/tmp/perf-{done.pid}.map")
        self.assertEqual((done.status, done.out), (0, b"2500\n"), done.err)
        frames = self.jit_frames(self.only_report(done.pid))
        wanted = [name for name in frames
                  if "makeBuffers" in name and "script.js" in name]
        self.assertTrue(wanted, sorted(frames)[:50])
        unnamed = [name for name in frames if name.startswith("0x")]
        self.assertLess(len(unnamed), 0.1 * len(frames), unnamed)

    def test_code_that_node_names_in_a_jitdump(self):
        node, script = self.node()
        process = self.start(
            [node, "--perf-prof", "--interpreted-frames-native-stack",
             script], cwd=self.scratch)
        done = self.finish(process)
        self.assertEqual((done.status, done.out), (0, b"2500\n"), done.err)
        self.assertTrue(glob.glob(os.path.join(self.scratch, "jit-*.dump")))
        # The report finds the dump where it is called.
        here = os.getcwd()
        os.chdir(self.scratch)
        self.addCleanup(os.chdir, here)
        frames = self.jit_frames(self.only_report(done.pid))
        wanted = [frame for name, frame in frames.items()
                  if "makeBuffers" in name]
        self.assertTrue(wanted, sorted(frames)[:50])
        self.assertTrue(any(frame.get("file", "").endswith("script.js") and
                            frame.get("line") == 5 for frame in wanted),
                        wanted)

    def test_rust(self):
        rustc = shutil.which("rustc", path=CARGO + ":" + os.environ["PATH"])
        if rustc is None:
            self.skipTest("needs rustc")
        for mangling in ("legacy", "v0"):
            program = os.path.join(self.scratch, "rust_" + mangling)
            # The older mangling takes an unstable option with newer compilers.
            built = subprocess.run(
                [rustc, "-g", "-O", "--crate-name=named", "-Zunstable-options",
                 "-Csymbol-mangling-version=" + mangling, "-o", program,
                 os.path.join(SOURCE, "named.rs")],
                env={**os.environ, "RUSTC_BOOTSTRAP": "1"},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if built.returncode != 0:
                self.skipTest(f"rustc does not work: {built.stdout}")
            with self.subTest(mangling=mangling):
                report = self.run_named(program)
                names = self.names(self.find(report, 8000))
                # The older mangling leaves generic arguments out.
                self.assertTrue({"named::Holder<T>::fill",
                                 "<named::Holder<u64>>::fill"} & set(names),
                                names)
                # The text, and the box of the closure that holds it.
                names = self.names(self.find(report, 4321 + 24, objects=2))
                self.assertIn("named::keep_in_closure", names)


if __name__ == "__main__":
    unittest.main()
