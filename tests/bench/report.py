# SPDX-License-Identifier: Apache-2.0
"""All that was measured, and its tables."""

import arithmetic
import tables
import workloads

CASES = {
    "repeating": "stack stays the same, 4 call sites, {} frames",
    "tree": "4 innermost of {} frames at random",
    "fresh": "all of {} frames rebuilt",
}
OTHER_CASES = {
    "million_independent": "1 M live blocks, independent",
    "million_dependent": "1 M live blocks, each names the next",
    "calloc": "calloc",
    "new_delete": "operator new and delete",
    "realloc_growth": "a realloc of a growing buffer",
    "threads_1": "one thread of its own",
    "threads_2": "two threads, each",
    "cross_thread_free": "freed by another thread",
}


def case_title(name):
    kind, _, depth = name.rpartition("_")
    if kind in CASES:
        return CASES[kind].format(depth)
    return OTHER_CASES.get(name, name)


def cpu(run):
    return run.cpu


def cpu_with_helper(run):
    return run.cpu + run.helper_cpu


def wall(run):
    return run.wall


def peak(run):
    return run.peak_kib


class Report:
    """programs: program -> tool -> round -> Run. micro: case -> tool -> ns.
    instructions: row of the golden -> per pair."""

    def __init__(self, machine, rounds, chosen, missing):
        self.machine, self.rounds = machine, rounds
        self.tools, self.missing = chosen, missing
        self.programs, self.micro, self.instructions = {}, {}, {}

    def spread(self, program, tool, figure):
        """Of the ratios to the tool's baseline, over the rounds."""
        runs = self.programs[program]

        def figures(name):
            return {at: figure(run) for at, run in runs[name].items()}

        return arithmetic.Spread(arithmetic.paired_ratios(
            figures(tool.name), figures(tool.baseline)))

    def compared(self):
        """Tools that have something to be compared with."""
        names = {tool.name for tool in self.tools}
        return [tool for tool in self.tools
                if tool.name != "bare" and tool.baseline in names]

    def geometric_mean(self, tool, figure):
        """None unless every program of the mean was measured."""
        if not set(workloads.IN_THE_MEAN) <= set(self.programs):
            return None
        return arithmetic.geometric_mean(
            [self.spread(program, tool, figure).median
             for program in workloads.IN_THE_MEAN])

    def ratio_row(self, title, tool, figure, show):
        mean = self.geometric_mean(tool, figure)
        if tool.baseline != "bare":
            title += f", over {tool.baseline}"
        return [title, *(show(self.spread(program, tool, figure))
                         for program in self.programs),
                "-" if mean is None else f"**{mean:.2f}**"]

    def bare_row(self, figure, unit, show):
        return [f"bare, {unit}", *(
            show(arithmetic.Spread([figure(run)
                                    for run in runs["bare"].values()]).median)
            for runs in self.programs.values()), ""]

    def cpu_table(self):
        def show(spread):
            if spread.count == 1:
                return f"{spread.median:.2f}"
            return f"{spread.median:.2f} ({spread.low:.2f}-{spread.high:.2f})"

        rows = [self.bare_row(cpu, "s", "{:.2f}".format)]
        for tool in self.compared():
            rows.append(self.ratio_row(tool.name, tool, cpu, show))
            if tool.has_interpreter:
                rows.append(self.ratio_row(
                    f"{tool.name} + interpreter", tool, cpu_with_helper, show))
        return tables.markdown(["CPU", *self.programs, "geomean"], rows)

    def plain_table(self, what, figure, unit, scale):
        rows = [self.bare_row(figure, unit,
                              lambda amount: f"{amount * scale:.4g}")]
        rows += [self.ratio_row(tool.name, tool, figure,
                                lambda spread: f"{spread.median:.2f}")
                 for tool in self.compared()]
        return tables.markdown([what, *self.programs, "geomean"], rows)

    def micro_table(self):
        compared = self.compared()
        rows = [[case_title(name), f"{each['bare']:.1f}",
                 *(f"{each[tool.name] - each[tool.baseline]:+.1f}"
                   for tool in compared)]
                for name, each in self.micro.items()]
        return tables.markdown(
            ["ns per pair", "bare", *(tool.name for tool in compared)], rows)

    def instructions_table(self):
        return tables.markdown(
            ["instructions per pair", *self.instructions],
            [["15 frames, stack stays the same", *(
                f"{count:.0f}" if name == "bare" else f"+{count:.0f}"
                for name, count in self.instructions.items())]])

    def as_markdown(self):
        at = self.machine
        parts = [f"{at['cpu']}, {at['cores']} cores, Linux {at['kernel']}, "
                 f"{at['date']}, commit {at['commit']}; {self.rounds} "
                 f"{'round' if self.rounds == 1 else 'rounds'}. Repeat with "
                 f"`scripts/bench --rounds {self.rounds}`.\n"]
        if self.programs:
            parts += [
                "CPU (user + system) over bare: the median of ratios taken "
                "within a round (lowest-highest). The mean leaves out jq. Of "
                "redis only the server counts; it runs on jemalloc, below "
                "every tool.\n", self.cpu_table(),
                "Wall time and peak RSS (of the largest process), medians over "
                "bare:\n", self.plain_table("wall", wall, "s", 1),
                self.plain_table("peak RSS", peak, "MB", 1024 / 1e6)]
        if self.micro:
            parts += ["One malloc and one free, CPU time over bare, lowest of "
                      "all repetitions:\n", self.micro_table()]
        if self.instructions:
            parts += [self.instructions_table()]
        if self.missing:
            parts += ["Not measured: " + "; ".join(
                f"{name} ({reason})"
                for name, reason in self.missing.items()) + ".\n"]
        return "\n".join(parts)

    def as_json(self):
        return {
            "machine": self.machine, "rounds": self.rounds,
            "tools": {tool.name: tool.what for tool in self.tools},
            "not_measured": self.missing,
            "programs": {program: {tool: [run.as_json()
                                          for _, run in sorted(runs.items())]
                                   for tool, runs in each.items()}
                         for program, each in self.programs.items()},
            "cpu_ratios": {program: {
                tool.name: self.spread(program, tool, cpu).as_json()
                for tool in self.compared()} for program in self.programs},
            "micro_ns": self.micro, "instructions": self.instructions}
