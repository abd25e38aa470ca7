# SPDX-License-Identifier: Apache-2.0
"""The verdicts of leak finders on the corpus and its families, as a table.

Every program is built and run for each tool; a leaking one that a tool names is
found, a clean one that it names is a false alarm. Ours must also give the right
function, bytes and blocks: what is not exactly right counts as missed.

Environment: HEAPLEDGER_SHIM, HEAPLEDGER_LEAK_REPORT.
"""

import argparse
import concurrent.futures
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import corpus  # noqa: E402
import families  # noqa: E402
from scan_report import by_function  # noqa: E402

COMMON = ["-g", "-w", "-fno-builtin", "-I", HERE]
LEAK_STATUS = 77


def compilers(tool, language):
    """The compiler and its options for a tool."""
    if tool == "clang-lsan":
        return ["clang" if language == corpus.C else "clang++",
                "-fsanitize=leak"]
    gcc = ["gcc" if language == corpus.C else "g++", "-fno-ipa-icf"]
    return gcc + (["-fsanitize=leak"] if tool == "gcc-lsan" else [])


def build(source, language, output, compiler, options):
    path = f"{output}.{language}"
    prelude = '#include "prelude.h"\n'
    if language == corpus.CXX:
        prelude += corpus.CXX_PRELUDE
    with open(path, "w", encoding="utf-8") as out:
        out.write(source if "prelude.h" in source else prelude + source)
    done = subprocess.run([*compiler, *COMMON, *options, path, "-o", output,
                           "-pthread", "-ldl"], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode == 0


def run(command, env):
    try:
        return subprocess.run(command, env={**os.environ, **env}, timeout=120,
                              stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE).returncode
    except subprocess.TimeoutExpired:
        return None


def is_right(scans, losses):
    """Whether the scans of a program's processes say what it loses."""
    leaking = [scan for scan in scans if scan["leaks"]]
    if any(scan["state"] != "complete" and scan["program"] != "sh"
           for scan in scans):
        return None
    if not losses:
        return not leaking
    if len(leaking) != 1:
        return False
    found = by_function(leaking[0], losses)
    if None in losses.values():
        return (list(found) == list(losses)
                and leaking[0]["direct_objects"] == 1)
    return found == losses


def ours(command, losses, folder):
    ledgers = tempfile.mkdtemp(dir=folder)
    os.chmod(ledgers, 0o700)
    status = run(command, {"LD_PRELOAD": os.environ["HEAPLEDGER_SHIM"],
                           "HEAPLEDGER_DIR": ledgers,
                           "HEAPLEDGER_SCAN": "exit"})
    files = glob.glob(ledgers + "/*.ledger")
    report = subprocess.run([os.environ["HEAPLEDGER_LEAK_REPORT"], *files],
                            stdout=subprocess.PIPE, check=False).stdout
    shutil.rmtree(ledgers)
    scans = [json.loads(line) for line in report.splitlines()]
    right = None if status is None or not scans else is_right(scans, losses)
    if right is None:
        return None
    # Named where it leaks and all is right; named where clean and it is not.
    return right if losses else not right


def verdict(tool, command, losses, folder):
    """Whether the tool names a leak; None where it could not tell."""
    if tool == "heapledger":
        return ours(command, losses, folder)
    if tool == "valgrind":
        status = run(["valgrind", "-q", "--leak-check=full",
                      "--errors-for-leak-kinds=definite,indirect",
                      f"--error-exitcode={LEAK_STATUS}", *command], {})
    else:
        status = run(command, {"LSAN_OPTIONS": f"exitcode={LEAK_STATUS}"})
    if status not in (0, LEAK_STATUS):
        return None
    return status == LEAK_STATUS


def plugin_for(tool, level, folder):
    """The plugin that some programs load, built once for each kind."""
    output = os.path.join(folder, f"plugin-{tool}{level}.so")
    if not os.path.exists(output):
        build(corpus.PLUGIN, corpus.C, output, compilers("", corpus.C),
              [level, "-shared", "-fPIC"])
    return output


def judge(tool, level, entry, folder):
    name, language, losses, source = entry
    output = os.path.join(folder, f"{name}-{tool}{level}")
    if not build(source, language, output, compilers(tool, language), [level]):
        return None
    named = verdict(tool, [output, plugin_for(tool, level, folder)], losses,
                    folder)
    for path in glob.glob(output + "*"):
        os.unlink(path)
    return named


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", default="heapledger,gcc-lsan,clang-lsan,"
                        "valgrind")
    parser.add_argument("--levels", default="-O0,-O2")
    parser.add_argument("--every", type=int, default=1,
                        help="only each so many-th program")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-v", action="store_true", help="name each fault")
    options = parser.parse_args()
    entries = (corpus.PROGRAMS + families.PROGRAMS)[::options.every]
    leaking = sum(bool(entry[2]) for entry in entries)
    print(f"{len(entries)} programs: {leaking} leak, "
          f"{len(entries) - leaking} do not\n")
    print("| tool | level | leaks found | false alarms | no verdict |")
    print("|---|---|---|---|---|")
    faults = 0
    with tempfile.TemporaryDirectory(prefix="heapledger-table-") as folder, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for tool in options.tools.split(","):
            for level in options.levels.split(","):
                plugin_for(tool, level, folder)
                named = list(pool.map(
                    lambda entry, tool=tool, level=level:
                    judge(tool, level, entry, folder), entries))
                rows = list(zip(entries, named))
                found = sum(bool(e[2]) and n is True for e, n in rows)
                alarms = sum(not e[2] and n is True for e, n in rows)
                unknown = sum(n is None for _, n in rows)
                print(f"| {tool} | {level} | {found} of {leaking} | {alarms} "
                      f"of {len(entries) - leaking} | {unknown} |", flush=True)
                wrong = [e[0] for e, n in rows if n is not bool(e[2])]
                if options.v and wrong:
                    print(f"  {tool} {level}: {' '.join(wrong)}",
                          file=sys.stderr)
                faults += len(wrong) if tool == "heapledger" else 0
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
