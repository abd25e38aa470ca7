# SPDX-License-Identifier: Apache-2.0
"""What alerts are worth, family by family, and the gates that they must pass.

A source is an alert, or the collector's detector. What it says of a trace is
the seconds at which it fires.
"""

LEAD = 900  # seconds before the end at which there is still time to act
SOON = 1800  # seconds after the onset
PLAIN = ("leak-fast", "leak-slow", "leak-exponential")
# Of a leak that has this long from its onset to its end an alert can be asked
# to lead by LEAD: half of the time to see that it grows at all.
LONG_ENOUGH = 1800
# A leak that, at the pace of its first half hour, has no more than this left
# at the end of it, can be told from a cache that fills by then: nothing is
# forecast much further than it was watched.
NEAR = 2400


def pace_allows(trace):
    """Whether the slope allows that the leak is found within SOON."""
    onset = trace.onset
    if trace.family == "leak-sawtooth" or trace.oom < onset + SOON:
        return False

    def mean(begin, end):
        return sum(trace.values[begin:end]) / (end - begin)

    rate = (mean(onset + 1500, onset + 1800) -
            mean(onset + 600, onset + 900)) / 900
    left = trace.limit - trace.values[onset + SOON - 1]
    return rate > 0 and left / rate <= NEAR


class Score:
    """Of one source on the traces of one family."""

    def __init__(self, family):
        self.family = family
        self.traces = self.detected = self.early = self.false = 0
        self.long = self.led = self.paced = self.found = 0
        self.leads = []
        self.missed = []  # names of the traces that went wrong

    def add(self, trace, fires):
        self.traces += 1
        if trace.onset is None:
            if fires:
                self.false += 1
                self.missed.append(trace.name)
            return
        # What fires before there is anything is a false alarm, and does not
        # count as one of what comes.
        if fires and fires[0] < trace.onset:
            self.early += 1
        if trace.oom is None:
            return
        first = next((t for t in fires if trace.onset <= t < trace.oom), None)
        lead = trace.oom - first if first is not None else 0
        self.detected += first is not None
        if first is not None:
            self.leads.append(lead)
        if trace.seconds_to_oom >= LONG_ENOUGH:
            self.long += 1
            self.led += lead >= LEAD
            if lead < LEAD:
                self.missed.append(trace.name)
        if pace_allows(trace):
            self.paced += 1
            self.found += first is not None and first - trace.onset <= SOON

    def facts(self):
        return {"family": self.family, "traces": self.traces,
                "detected": self.detected, "long_enough": self.long,
                "led": self.led, "pace_allows": self.paced,
                "found_soon": self.found, "before_onset": self.early,
                "false_alarms": self.false,
                "median_lead_seconds":
                    sorted(self.leads)[len(self.leads) // 2]
                    if self.leads else None,
                "wrong": self.missed}


def score(traces, said):
    """family -> Score; `said`: name -> the seconds at which it fires."""
    scores = {}
    for trace in traces:
        scores.setdefault(trace.family, Score(trace.family)).add(
            trace, said.get(trace.name, []))
    return scores


def totals(scores):
    """(precision, recall) over all traces."""
    false = sum(s.false + s.early for s in scores.values())
    detected = sum(s.detected for s in scores.values())
    ends = sum(s.traces for s in scores.values()
               if s.family.startswith("leak"))
    precision = detected / (detected + false) if detected + false else None
    return precision, detected / ends if ends else None


class Gate:

    def __init__(self, what, good, of, least):
        self.what, self.good, self.of, self.least = what, good, of, least

    @property
    def passes(self):
        # One in a small sample is not a rate.
        return self.good >= self.of - max(1, round((1 - self.least) * self.of))

    def text(self):
        return (f"{'pass' if self.passes else 'FAIL'}: {self.what}: "
                f"{self.good} of {self.of} (at least {100 * self.least:.0f} %)")


def gates(scores):
    """Those that a forecast must pass."""
    def over(families, good, of):
        found = [scores[f] for f in families if f in scores]
        return sum(map(good, found)), sum(map(of, found))

    result = []
    plain = over(PLAIN, lambda s: s.led, lambda s: s.long)
    result.append(Gate("plain leaks that it leads by 15 min", *plain, 0.98))
    under = over(["leak-sawtooth"], lambda s: s.led, lambda s: s.long)
    result.append(Gate("leaks under a sawtooth that it leads by 15 min",
                       *under, 0.90))
    soon = over(PLAIN, lambda s: s.found, lambda s: s.paced)
    result.append(Gate("leaks found within 30 min where the slope allows",
                       *soon, 0.90))
    for family in scores:
        if not family.startswith("leak"):
            quiet = over([family], lambda s: s.traces - s.false,
                         lambda s: s.traces)
            result.append(Gate(f"{family} traces without an alarm", *quiet,
                               0.99))
    return [gate for gate in result if gate.of > 0]


def table(source, scores):
    lines = [f"### {source}", "",
             "| family | traces | detected | led by 15 min | found in 30 min "
             "| before onset | false alarms | median lead |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for family, s in scores.items():
        facts = s.facts()
        lead = facts["median_lead_seconds"]
        leak = family.startswith("leak")
        lines.append("| {} | {} | {} | {} | {} | {} | {} | {} |".format(
            family, s.traces, s.detected if leak else "",
            f"{s.led} of {s.long}" if leak else "",
            f"{s.found} of {s.paced}" if leak else "",
            s.early if leak else "", "" if leak else s.false,
            f"{lead / 60:.0f} min" if lead else ""))
    precision, recall = totals(scores)
    lines += ["", "precision {}, recall {}".format(
        *("-" if x is None else f"{x:.2f}" for x in (precision, recall)))]
    return "\n".join(lines) + "\n"
