# SPDX-License-Identifier: Apache-2.0
"""What heapledger costs: real programs and single calls, bare and under tools.

Builds the release preset in build-bench, runs every program under every tool in
rounds whose order rotates, and prints Markdown. CPU is user and system time of
the program and its children; each ratio is taken within one round.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import tempfile

import arithmetic
import instructions
import report
import runner
import tables
import tools
import workloads

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
QUICK_TOOLS = ["bare", "null", "exact"]


class Failure(Exception):
    """A reason to give up, as a sentence for the user."""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def words(text):
    return [word for word in text.split(",") if word]


def parse_options():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, metavar="N",
                        help="rounds of every program and tool (default 5; 1 "
                        "with --quick)")
    parser.add_argument("--programs", type=words, metavar="A,B",
                        help="only these of " + ", ".join(workloads.MAKERS))
    parser.add_argument("--tools", type=words, metavar="X,Y",
                        help="only these and their baselines; --tools list "
                        "says which there are")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--micro-only", action="store_true",
                      help="single calls and instructions, no programs")
    only.add_argument("--programs-only", action="store_true",
                      help="programs alone")
    parser.add_argument("--quick", action="store_true",
                        help="one short round of " + ", ".join(QUICK_TOOLS) +
                        ", to see that all works")
    parser.add_argument("--build", type=pathlib.Path, metavar="DIR",
                        help="measure what DIR holds and build nothing")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE",
                        help="also write the Markdown to FILE")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE",
                        help="write every single figure to FILE")
    parser.add_argument("--readme", action="store_true",
                        help=f"put the Markdown into README.md between "
                        f"{tables.BEGIN} and {tables.END}")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    if options.rounds < 1:
        parser.error("--rounds needs a number above 0")
    return options


def build(options):
    """The build directory, built unless it was given."""
    if options.build:
        return options.build.resolve()
    directory = ROOT / "build-bench"
    say(f"building {directory.name}")
    for command in (["cmake", "--preset", "release", "-B", str(directory),
                     "-DHEAPLEDGER_BUILD_TESTS=ON"],
                    ["cmake", "--build", str(directory), "--target",
                     "heapledger_bench"]):
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.stderr.write(done.stdout[-4000:])
            raise Failure(f"{' '.join(command[:2])} failed, see above")
    return directory


def choose(wanted, known, what):
    for name in wanted:
        if name not in known:
            raise Failure(f"there is no {what} {name!r}; there are " +
                          ", ".join(known))
    return [name for name in known if name in wanted]


def choose_names(options):
    """Names of tools, with their baselines. Settles those of programs too."""
    options.programs = choose(options.programs or list(workloads.MAKERS),
                              list(workloads.MAKERS), "program")
    known = {tool.name: tool.baseline for tool in tools.all_tools(ROOT)}
    usual = QUICK_TOOLS if options.quick else list(known)
    wanted = choose(options.tools or usual, list(known), "tool")
    return {"bare", *wanted, *(known[name] for name in wanted)}


def choose_tools(wanted, directory):
    """Tools that can be had, and name -> reason of those that cannot."""
    chosen, missing = [], {}
    for tool in tools.all_tools(directory):
        name = tool.name
        if name not in wanted:
            continue
        with runner.scratch_directory() as scratch:
            reason = tools.unavailable(tool, directory / "tests/programs",
                                       scratch)
        if reason:
            missing[name] = reason
            say(f"without {name}: {reason}")
        else:
            chosen.append(tool)
    return chosen, missing


def measure_programs(options, directory, chosen):
    """program -> tool -> round -> Run."""
    names = options.programs
    results = {name: {tool.name: {} for tool in chosen} for name in names}
    with tempfile.TemporaryDirectory(prefix="heapledger-bench-") as scratch:
        say("making inputs")
        jobs = [workloads.MAKERS[name](pathlib.Path(scratch))
                for name in names]
        for round_ in range(options.rounds):
            for job in jobs:
                measure_round(directory, job, chosen, round_,
                              results[job.name], options.rounds)
    return results


def measure_round(directory, job, chosen, round_, results, rounds):
    figures = []
    chosen = [tool for tool in chosen
              if tool.most_rounds is None or round_ < tool.most_rounds]
    for tool in arithmetic.rotated(chosen, round_):
        run = runner.run(directory / "tests/programs", job, tool)
        results[tool.name][round_] = run
        figures.append(f"{tool.name} {run.cpu:.2f}")
    outputs = {results[tool.name][round_].output for tool in chosen}
    if len(outputs) != 1:
        raise Failure(f"{job.name} does not print the same under every tool")
    say(f"round {round_ + 1} of {rounds}, {job.name}, CPU seconds: " +
        ", ".join(figures))


def measure_micro(options, directory, chosen):
    """case -> tool -> lowest of all rounds, ns per pair."""
    # Minima settle sooner than medians.
    rounds = min(options.rounds, 3)
    command = [str(directory / "tests/programs/bench_micro")]
    if options.quick:
        command += ["--min-ms", "20", "--repetitions", "3"]
    results = {}
    for round_ in range(rounds):
        for tool in arithmetic.rotated(chosen, round_):
            say(f"round {round_ + 1} of {rounds}, single calls, {tool.name}")
            for case in micro_cases(directory, command, tool):
                each = results.setdefault(case["name"], {})
                each[tool.name] = min(case["min_ns"],
                                      each.get(tool.name, case["min_ns"]))
    return results


def micro_cases(directory, command, tool):
    with runner.scratch_directory() as scratch:
        output = scratch / "cases.json"
        reader = (runner.Reader(directory / "tests/programs", scratch,
                                runner.DISCARD)
                  if tool.has_interpreter else None)
        with output.open("wb") as out:
            process = runner.launch(
                directory / "tests/programs", scratch / "report.json",
                tool.environment(scratch), command, stdout=out)
        job = workloads.Workload("bench_micro", command)
        runner.wait(process, job, tool)
        if reader:
            reader.finish()
        return json.loads(output.read_text(encoding="ascii"))["cases"]


def measure_instructions(directory):
    """row name -> instructions over bare, with bare's own."""
    say("counting instructions")
    rows = instructions.parse_rows(
        instructions.GOLDEN.read_text(encoding="utf-8"))
    bare = instructions.per_pair(directory)
    counted = {"bare": bare}
    for row in rows:
        counted[row.name] = instructions.per_pair(
            directory, row.library, row.environment) - bare
    return counted


def machine():
    model = platform.processor()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    commit = subprocess.run(["git", "describe", "--always", "--dirty"],
                            cwd=ROOT, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True).stdout
    return {"cpu": model, "cores": os.cpu_count(),
            "kernel": platform.release(),
            "date": datetime.date.today().isoformat(),
            "commit": commit.strip() or "unknown"}


def main():
    options = parse_options()
    if options.tools == ["list"]:
        for tool in tools.all_tools(ROOT / "build-bench"):
            print(f"{tool.name:17} {tool.what}")
        return
    readme = ROOT / "README.md"
    if options.readme:  # better known before an hour of measuring
        try:
            tables.replace_section(readme.read_text(encoding="utf-8"), "")
        except ValueError as error:
            raise Failure(f"README.md {error}") from error
    wanted = choose_names(options)
    directory = build(options)
    chosen, missing = choose_tools(wanted, directory)

    facts = report.Report(machine(), options.rounds, chosen, missing)
    if not options.micro_only:
        facts.programs = measure_programs(options, directory, chosen)
    if not options.programs_only:
        facts.micro = measure_micro(options, directory, chosen)
        facts.instructions = measure_instructions(directory)

    text = facts.as_markdown()
    print(text, end="")
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(facts.as_json(), indent=1) + "\n",
                                encoding="utf-8")
    if options.readme:
        readme.write_text(tables.replace_section(
            readme.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    # Ended either way, temporary directories are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except (Failure, RuntimeError, OSError, ValueError,
            subprocess.SubprocessError) as error:
        say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        say("given up")
        sys.exit(130)
