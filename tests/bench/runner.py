# SPDX-License-Identifier: Apache-2.0
"""Runs one program under one tool, and says what it took."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import tools

TIMEOUT_SECONDS = 600


class Run:
    """What one run took. helper_cpu is that of a tool's second process."""

    def __init__(self, report, output, helper_cpu=0.0, facts=()):
        self.cpu = report["user"] + report["system"]
        self.wall, self.peak_kib = report["wall"], report["peak_kib"]
        self.helper_cpu, self.output, self.facts = helper_cpu, output, facts

    def as_json(self):
        return {"cpu": self.cpu, "wall": self.wall, "peak_kib": self.peak_kib,
                "helper_cpu": self.helper_cpu}


@contextlib.contextmanager
def scratch_directory():
    """A directory in memory, where ledgers lie by default."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    path = pathlib.Path(tempfile.mkdtemp(prefix="heapledger-bench-",
                                         dir=shared))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def launch(programs, report, settings, command, **kwargs):
    return subprocess.Popen(
        [str(programs / "bench_launch"), str(report),
         *(f"{name}={value}" for name, value in settings.items()), "--",
         *command], env={**tools.clean_environment(), "LC_ALL": "C"}, **kwargs)


# How heaptrack is used; what it writes is thrown away.
INTERPRETER = [str(tools.HEAPTRACK / "libexec/heaptrack_interpret")]
# For programs that do nothing but allocate: they would wait for the one above.
DISCARD = ["/bin/cat"]


class Reader:
    """heaptrack's second process, at the other end of the program's pipe."""

    def __init__(self, programs, scratch, command):
        self.report = scratch / "reader.json"
        pipe = scratch / "heaptrack"
        os.mkfifo(pipe)
        # For writing too: opening must not wait for the program, and the end
        # must not come before it has opened the pipe.
        self.pipe = os.open(pipe, os.O_RDWR | os.O_CLOEXEC)
        source = os.open(pipe, os.O_RDONLY | os.O_CLOEXEC)
        self.process = launch(
            programs, self.report, {}, command, stdin=source,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(source)

    def finish(self):
        os.close(self.pipe)
        self.process.wait(TIMEOUT_SECONDS)
        report = json.loads(self.report.read_text(encoding="ascii"))
        return report["user"] + report["system"]


def wait(process, workload, tool):
    """Waits for the end; returns what a server's driver made of its replies."""
    try:
        replies = workload.drive(process) if workload.drive else ""
        status = process.wait(TIMEOUT_SECONDS)
    except BaseException:
        process.kill()  # takes the program with it
        process.wait()
        raise
    if status != 0:
        raise RuntimeError(f"{workload.name} under {tool.name} ended with "
                           f"status {status}")
    return replies


def run(programs, workload, tool):
    """One run; raises RuntimeError where it failed or did not measure."""
    with scratch_directory() as scratch:
        report, output = scratch / "report.json", scratch / "output"
        settings = {**workload.settings, **tool.environment(scratch)}
        reader = (Reader(programs, scratch, INTERPRETER)
                  if tool.has_interpreter else None)
        with output.open("wb") as out:
            process = launch(programs, report, settings, workload.command,
                             stdin=subprocess.DEVNULL, stdout=out,
                             stderr=subprocess.DEVNULL)
        replies = wait(process, workload, tool)
        helper_cpu = reader.finish() if reader else 0.0
        facts = (tools.ledger_facts(programs, scratch)
                 if tool.is_heapledger else [])
        fault = tools.ledger_fault(tool, facts)
        if fault:
            raise RuntimeError(f"{workload.name} under {tool.name}: {fault}")
        return Run(json.loads(report.read_text(encoding="ascii")),
                   hashlib.sha256(output.read_bytes()).hexdigest() + replies,
                   helper_cpu, facts)
