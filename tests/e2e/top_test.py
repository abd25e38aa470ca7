#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`heapledger top` as a person uses it: on a terminal, with keys."""

import fcntl
import glob
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

import harness


class Screen:
    """A program on a terminal of its own."""

    def __init__(self, command, environment, directory):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", 30, 120, 0, 0))
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment,
            cwd=directory, start_new_session=True)

    def wait_for(self, words, seconds=30):
        """Reads until `words` were shown; what was shown since the last time."""
        shown = ""
        deadline = time.monotonic() + seconds
        while words not in shown:
            ready, _, _ = select.select([self.master], [], [], 0.2)
            if ready:
                shown += os.read(self.master, 65536).decode(errors="replace")
            if time.monotonic() > deadline:
                raise AssertionError(f"{words!r} never shown in {shown[-3000:]!r}")
        return shown

    def press(self, keys):
        os.write(self.master, keys.encode())

    def settings_are_back(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class TopTest(harness.ShimTest):

    def open(self, *arguments):
        self.files = tempfile.mkdtemp(prefix="heapledger-top-")
        self.addCleanup(shutil.rmtree, self.files, True)
        screen = Screen([harness.CLI, "top", "--dir", self.ledgers,
                         "--interval", "0.2", *arguments],
                        self.environment(False, TERM="xterm"), self.files)
        self.addCleanup(screen.close)
        return screen

    def growing(self):
        """A program that grows by 1 MiB each 50 ms until it is ended."""
        process = self.start([
            "/usr/bin/python3", "-c",
            "import time\nkeep = []\nwhile True:\n"
            "    keep.append(bytearray(1 << 20)); time.sleep(0.05)"])
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_follows_a_program_and_leaves_it_alone(self):
        process = self.growing()
        screen = self.open(str(process.pid))
        shown = screen.wait_for("MiB/s")
        self.assertIn("\x1b[?1049h", shown)
        screen.press(" ")
        screen.wait_for("PAUSED")
        screen.press(" m")
        screen.wait_for("SINCE MARK")
        screen.wait_for("+")
        screen.press("d")
        screen.wait_for("MODULE")
        screen.press("s")
        screen.wait_for("wrote heapledger-")
        self.assertEqual(len(glob.glob(self.files + "/*.hl")), 1)
        screen.press("q")
        screen.wait_for("\x1b[?1049l")
        self.assertEqual(screen.process.wait(timeout=10), 0)
        self.assertTrue(screen.settings_are_back())
        self.assertIsNone(process.poll())

    def test_keeps_the_last_look_when_the_program_ends(self):
        process = self.growing()
        screen = self.open()
        screen.wait_for("MiB/s")
        process.kill()
        screen.wait_for("last look")
        screen.press("\x03")
        self.assertEqual(screen.process.wait(timeout=10), 0)

    def test_puts_the_terminal_back_when_it_is_told_to_end(self):
        screen = self.open()
        screen.wait_for("no measured program runs")
        screen.process.send_signal(signal.SIGTERM)
        screen.wait_for("\x1b[?1049l")
        screen.process.wait(timeout=10)
        self.assertTrue(screen.settings_are_back())

    def test_says_what_to_do_without_a_terminal(self):
        done = subprocess.run([harness.CLI, "top", "--dir", self.ledgers],
                              env=self.environment(False),
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=30)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"--once", done.stderr)


if __name__ == "__main__":
    unittest.main()
