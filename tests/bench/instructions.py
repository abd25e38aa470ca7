# SPDX-License-Identifier: Apache-2.0
"""Instructions per pair of malloc and free, over bare, counted by callgrind.

The same to the instruction on every machine that has the same C library, so a
golden can hold it: tests/golden/instructions.txt, one row for each mode.

Usage: instructions.py --build DIR [--update]
Exit status: 0 as in the golden, 1 not so, 77 where valgrind is missing.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests/golden/instructions.txt"
SKIPPED = 77
TIMEOUT_SECONDS = 300
# Far enough apart that a step of a table's growth weighs nothing; the first is
# beyond the start, where new stacks are still met.
FEW_PAIRS, MANY_PAIRS = 20000, 60000

HEADER = """\
# Instructions of one pair of malloc and free over bare, at depth 15 on a
# repeating stack, as callgrind counts them. Written by scripts/update-goldens.
# Row: name, what is preloaded (heapledger or null), instructions, environment.
"""


class Row:
    def __init__(self, name, library, figure, environment):
        self.name, self.library = name, library
        self.figure, self.environment = figure, environment

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __repr__(self):
        return f"Row({vars(self)})"


def parse_rows(text):
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            name, library, figure, *settings = words
            rows.append(Row(name, library, float(figure),
                            dict(item.split("=", 1) for item in settings)))
        except ValueError as error:
            raise ValueError(f"line {number}: {line!r} is no row") from error
    return rows


def format_rows(rows):
    lines = [" ".join([f"{row.name:<8}", f"{row.library:<10}",
                       f"{row.figure:8.1f}"] +
                      [f" {name}={value}"
                       for name, value in row.environment.items()])
             for row in rows]
    return HEADER + "\n".join(line.rstrip() for line in lines) + "\n"


def verdict(golden, measured):
    """Two percent, and one instruction for the rounding of small figures."""
    allowed = golden * 0.02 + 1
    if measured > golden + allowed:
        return "more"
    if measured < golden - allowed:
        return "fewer"
    return "as expected"


def library_path(build, library):
    """The file to preload; None for bare."""
    names = {"heapledger": "libheapledger.so",
             "null": "libheapledger_null_preload.so", "bare": None}
    if library not in names:
        raise ValueError(f"nothing to preload is called {library!r}")
    name = names[library]
    return name and str(pathlib.Path(build) / "lib" / name)


def count(build, library, environment, pairs):
    """Instructions of one run, all in all."""
    program = pathlib.Path(build) / "tests/programs/bench_pair_instructions"
    # A ledger directory in memory and a fixed environment: the same stack
    # contents in every run.
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="heapledger-bench-",
                                     dir=shared) as ledgers:
        settings = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", **environment}
        preload = library_path(build, library)
        if preload:
            settings.update(LD_PRELOAD=preload, HEAPLEDGER_DIR=ledgers)
        # Through env(1) so that valgrind itself runs without.
        command = ["valgrind", "--tool=callgrind", "--trace-children=yes",
                   "--trace-children-skip=*/env",
                   f"--callgrind-out-file={ledgers}/out", "/usr/bin/env", "-i",
                   *(f"{name}={value}" for name, value in settings.items()),
                   str(program), str(pairs)]
        done = subprocess.run(command, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True,
                              timeout=TIMEOUT_SECONDS)
    collected = re.findall(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not collected:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-500:]}")
    return int(collected[-1])


def per_pair(build, library="bare", environment=None):
    """Instructions of one pair, the loop around it included."""
    environment = environment or {}
    more = count(build, library, environment, MANY_PAIRS)
    less = count(build, library, environment, FEW_PAIRS)
    return (more - less) / (MANY_PAIRS - FEW_PAIRS)


def check(rows, measured):
    """Faults, as sentences."""
    faults = []
    for row, figure in zip(rows, measured):
        judged = verdict(row.figure, figure)
        if judged == "more":
            faults.append(f"{row.name} takes {figure:.1f} instructions per "
                          f"pair over bare, the golden has {row.figure:.1f}")
        elif judged == "fewer":
            faults.append(f"{row.name} takes only {figure:.1f} instructions "
                          f"per pair over bare, the golden has "
                          f"{row.figure:.1f}: run scripts/update-goldens")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="the build directory")
    parser.add_argument("--update", action="store_true",
                        help="rewrite the golden with what is measured")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        print("check_instructions: valgrind is not installed; skipped")
        return SKIPPED
    rows = parse_rows(GOLDEN.read_text(encoding="utf-8"))
    bare = per_pair(options.build)
    measured = [per_pair(options.build, row.library, row.environment) - bare
                for row in rows]
    print(f"bare {bare:.1f} instructions per pair; over it: " +
          ", ".join(f"{row.name} {figure:.1f}"
                    for row, figure in zip(rows, measured)))
    if options.update:
        for row, figure in zip(rows, measured):
            row.figure = figure
        GOLDEN.write_text(format_rows(rows), encoding="utf-8")
        return 0
    faults = check(rows, measured)
    for fault in faults:
        print(f"check_instructions: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
