# SPDX-License-Identifier: Apache-2.0
"""What programs are measured under: heapledger's modes and what to hold them
against. A tool is libraries to preload and settings to give."""

import glob
import json
import os
import pathlib
import subprocess

HEAPTRACK = pathlib.Path("/usr/lib/heaptrack")
JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
# As in the ledger's header.
EXACT, SAMPLED, DORMANT = 0, 1, 2
FULL, CALLER, ADAPTIVE = 0, 2, 3


class Tool:
    """Something that programs run under.

    baseline: the tool whose runs this one's are divided by. expects: mode and
    stack mode that a ledger must show; None where no ledger is made.
    most_rounds: of programs, for a tool that takes minutes; None for all.
    """

    def __init__(self, name, what, preload=None, settings=None, expects=None,
                 baseline="bare", most_rounds=None):
        self.name, self.what, self.preload = name, what, preload
        self.settings, self.expects = settings or {}, expects
        self.baseline, self.most_rounds = baseline, most_rounds

    @property
    def is_heapledger(self):
        return self.expects is not None

    @property
    def has_interpreter(self):
        return self.name == "heaptrack"

    def environment(self, scratch):
        """NAME=VALUE settings of one run; scratch is a directory of its own."""
        settings = dict(self.settings)
        if self.preload:
            settings["LD_PRELOAD"] = self.preload
        if self.is_heapledger:
            settings["HEAPLEDGER_DIR"] = str(scratch)
        if self.has_interpreter:
            settings["DUMP_HEAPTRACK_OUTPUT"] = str(scratch / "heaptrack")
        return settings


def all_tools(build):
    shim = str(build / "lib/libheapledger.so")

    def heapledger(name, what, expects, **settings):
        return Tool(name, what, shim,
                    {f"HEAPLEDGER_{key}": value
                     for key, value in settings.items()}, expects)

    def jemalloc(name, what, interval, most_rounds=None):
        return Tool(name, what, JEMALLOC,
                    {"MALLOC_CONF": f"prof:true,lg_prof_sample:{interval}"},
                    baseline="jemalloc", most_rounds=most_rounds)

    return [
        Tool("bare", "nothing preloaded"),
        Tool("null", "interposer that only forwards",
             str(build / "lib/libheapledger_null_preload.so")),
        heapledger("exact", "heapledger, every call by its full stack",
                   (EXACT, FULL)),
        heapledger("adaptive", "heapledger --stack adaptive",
                   (EXACT, ADAPTIVE), STACK="adaptive"),
        heapledger("caller", "heapledger --stack caller", (EXACT, CALLER),
                   STACK="caller"),
        heapledger("sampled", "heapledger --mode sampled, 512 KiB",
                   (SAMPLED, FULL), MODE="sampled"),
        heapledger("dormant", "heapledger --mode dormant, never armed",
                   (DORMANT, FULL), MODE="dormant"),
        Tool("heaptrack", "heaptrack 1.4, without its interpreter",
             str(HEAPTRACK / "libheaptrack_preload.so")),
        Tool("jemalloc", "jemalloc 5.3 instead of the program's own malloc",
             JEMALLOC),
        jemalloc("jemalloc-sampled", "its heap profiler, 512 KiB", 19),
        jemalloc("jemalloc-exact", "its heap profiler, every call", 0,
                 most_rounds=1),
    ]


def ledger_facts(programs, scratch):
    """How the ledgers in a directory were kept."""
    return [json.loads(subprocess.run(
        [str(programs / "bench_ledger_facts"), ledger], check=True,
        stdout=subprocess.PIPE, timeout=60).stdout)
            for ledger in sorted(glob.glob(f"{scratch}/*.ledger"))]


def ledger_fault(tool, facts):
    """Why a run did not measure what the tool's name says; None if it did."""
    if not tool.is_heapledger:
        return None
    if not facts:
        return "the shim left no ledger"
    for fact in facts:
        if fact["off_reason"]:
            return f"the shim turned itself off, reason {fact['off_reason']}"
        if (fact["mode"], fact["stack_mode"]) != tool.expects:
            return "this shim does not have the mode"
    return None


def unavailable(tool, programs, scratch):
    """Why a tool cannot be had here; None if it can. Tries it."""
    if tool.preload and not os.path.exists(tool.preload):
        return f"{tool.preload} is missing"
    if tool.has_interpreter:
        interpreter = HEAPTRACK / "libexec/heaptrack_interpret"
        return None if interpreter.exists() else f"{interpreter} is missing"
    settings = tool.environment(scratch)
    profiles = "MALLOC_CONF" in settings
    if profiles:
        settings["MALLOC_CONF"] += (
            f",prof_final:true,prof_prefix:{scratch}/profile")
    subprocess.run([str(programs / "bench_pair_instructions"), "1000"],
                   env={**clean_environment(), **settings}, check=True,
                   stderr=subprocess.DEVNULL, timeout=60)
    if profiles and not glob.glob(f"{scratch}/profile*"):
        return "this libjemalloc is built without its profiler"
    return ledger_fault(tool, ledger_facts(programs, scratch)
                        if tool.is_heapledger else [])


def clean_environment():
    """The environment without what would change a tool or a program."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("HEAPLEDGER_", "LD_", "MALLOC_",
                                    "GLIBC_", "PYTHON", "PERL", "LUA"))}
