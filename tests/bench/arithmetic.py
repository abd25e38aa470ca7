# SPDX-License-Identifier: Apache-2.0
"""The benchmark's own arithmetic: ratios within a round, then medians.

A machine that others use drifts from minute to minute. So a tool's run is only
ever divided by the baseline's run of the same round, and the figure is the
median of those ratios, not the ratio of medians.
"""

import math
import statistics


class Spread:
    """The median of some figures, with the lowest and highest of them."""

    def __init__(self, figures):
        if not figures:
            raise ValueError("no figures")
        self.median = statistics.median(figures)
        self.low, self.high = min(figures), max(figures)
        self.count = len(figures)

    def as_json(self):
        return {"median": self.median, "low": self.low, "high": self.high,
                "count": self.count}


def paired_ratios(figures, baseline):
    """Ratios within rounds; both are round -> figure, rounds may be missing."""
    return [figures[round_] / baseline[round_] for round_ in sorted(figures)
            if baseline.get(round_)]


def geometric_mean(figures):
    """The mean for ratios: twice as slow and twice as fast cancel out."""
    if not figures or any(figure <= 0 for figure in figures):
        raise ValueError("a geometric mean needs positive figures")
    return math.exp(sum(map(math.log, figures)) / len(figures))


def rotated(things, by):
    """The things in order, starting elsewhere each time: so none of them always
    runs first, or always after the same one's leftovers."""
    by %= len(things) if things else 1
    return things[by:] + things[:by]
