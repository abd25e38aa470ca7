# SPDX-License-Identifier: Apache-2.0
"""Breaks the rules one by one and demands that the cases of the broken rule
notice: a number 10 % higher, a condition less, a slope of the wrong kind, a
time left out, a label or word changed."""

import concurrent.futures
import copy
import os
import re
import unittest

import yaml

import monitoring

# A mutant that means the same as the rule, and why.
EQUIVALENT = {
    ("MemoryExhaustionImminent", "without > 0 #2"):
        "a falling 15 minutes beside a rising 5 is no unbounded growth",
    ("MemoryExhaustionPredicted", "without > 0 #1"):
        "a falling 15 minutes beside a rising 30 is no unbounded growth",
    ("MemoryExhaustionPredicted", "without > 0 #2"):
        "a falling 30 minutes beside a rising 15 is no unbounded growth",
    ("memory:callsite_place", "max by -> min by"): "its value is always 1",
    ("memory:allocation_efficiency", "rate -> increase"):
        "of both, and their quotient is the same",
    ("MemoryOomKill", 'without {scope="host"}'):
        "those of groups are left out by the rest",
    ("HeapledgerWatchdog", "1 at 7 + 10 %"): "its value is never read",
}

# Not behind a letter, in a window, an offset or a name.
NUMBER = re.compile(r'(?<![\w.:\["])(\d+(?:\.\d+)?)(?![\w.:\]])')
QUOTED = re.compile(r'"[^"]*"')


def numbers(expr):
    """Spans of the numbers that are not 0, in quotes, or durations."""
    blank = QUOTED.sub(lambda m: "_" * len(m.group(0)), expr)
    return [match.span() for match in NUMBER.finditer(blank)
            if float(match.group(1)) != 0]


def conjuncts(expr):
    """The parts of an expression that stand on a level of their own."""
    depth = 0
    parts, words = [""], []
    for token in re.split(r"(\(|\)|\band\b|\bor\b)", expr):
        if depth == 0 and token in ("and", "or"):
            words.append(token)
            parts.append("")
            continue
        depth += {"(": 1, ")": -1}.get(token, 0)
        parts[-1] += token
    return parts, words


def expr_mutants(expr):
    for span in numbers(expr):
        # What is divided by lowers a threshold as it rises.
        divides = re.search(r"/ $", expr[:span[0]])
        value = float(expr[slice(*span)]) * (1 / 1.1 if divides else 1.1)
        yield (f"{expr[slice(*span)]} at {span[0]} + 10 %",
               f"{expr[:span[0]]}{value:.12g}{expr[span[1]:]}")
    for number, match in enumerate(re.finditer(r" *> 0(?=\s*\))", expr), 1):
        yield (f"without > 0 #{number}",
               expr[:match.start()] + expr[match.end():])
    for match in re.finditer(r"{[^}]*}", expr):
        yield (f"without {match.group(0)}",
               expr[:match.start()] + expr[match.end():])
    parts, words = conjuncts(expr)
    for left_out in range(len(parts)) if len(parts) > 1 else ():
        kept = [part for i, part in enumerate(parts) if i != left_out]
        joins = words[1:] if left_out == 0 else (
            words[:left_out - 1] + words[left_out:])
        text = kept[0]
        for join, part in zip(joins, kept[1:]):
            text += join + part
        # What stands behind the word belongs to it.
        text = re.sub(r"^\s*(on|ignoring) \([a-z, ]*\)", "", text)
        yield f"without part {left_out + 1} of {len(parts)}", text
    for old, new in (("deriv(", "rate("), ("delta(", "increase("),
                     ("rate(", "increase("), ("max by", "min by"),
                     ("min by", "max by"), ("sum by", "max by"),
                     ("avg_over_time(", "max_over_time("),
                     ("max_over_time(", "min_over_time("),
                     ("absent(", "count("), ("clamp_max(", "clamp_min(")):
        # All at once: one window of two would hide the other.
        text = re.sub(r"(?<![a-z_])" + re.escape(old), new, expr)
        if text != expr:
            yield f"{old.rstrip('(')} -> {new.rstrip('(')}", text


def rule_mutants(rule):
    """(what, rule) for everything that can be broken."""
    def changed(key, value):
        other = copy.deepcopy(rule)
        if value is None:
            del other[key]
        else:
            other[key] = value
        return other

    for what, expr in expr_mutants(rule["expr"]):
        yield what, changed("expr", expr)
    if "alert" not in rule:
        return
    if rule["for"] != "0s":
        yield "without for", changed("for", "0s")
        yield "for of an hour", changed("for", "1h")
    if "keep_firing_for" in rule:
        yield "without keep_firing_for", changed("keep_firing_for", None)
    for kind in ("labels", "annotations"):
        for key in rule[kind]:
            yield f"another {key}", changed(kind,
                                            {**rule[kind], key: "other"})


class MutationsTest(monitoring.MonitoringTest):

    def load_rules(self):
        files = self.write()
        return {name: yaml.safe_load((files / path).read_text())
                for name, path in
                (("heapledger-recording.yml", monitoring.RECORDING),
                 ("heapledger-alerts.yml", monitoring.ALERTS))}

    @staticmethod
    def needed(rules, name):
        """`rules` with rule `name` and those that it reads, near and far."""
        exprs = {}
        for content in rules.values():
            for group in content["groups"]:
                for rule in group["rules"]:
                    exprs.setdefault(rule.get("alert") or rule["record"],
                                     []).append(rule["expr"])
        wanted, new = set(), {name}
        while new:
            wanted |= new
            text = " ".join(expr for one in new for expr in exprs[one])
            new = (set(re.findall(r"memory:\w+", text)) & set(exprs)) - wanted
        return {file: {"groups": [
            {**group, "rules": [rule for rule in group["rules"]
                                if (rule.get("alert") or rule["record"])
                                in wanted]}
            for group in content["groups"]]}
                for file, content in rules.items()}

    def survives(self, number, rules, name):
        """Whether the cases of rule `name` pass; None for what is no rule."""
        directory = self.scratch / str(number)
        directory.mkdir()
        for file, content in self.needed(rules, name).items():
            (directory / file).write_text(yaml.safe_dump(content))
        cases = monitoring.record_file(name)
        (directory / cases.name).write_text(cases.read_text())
        status, out = monitoring.run("promtool", "test", "rules", cases.name,
                                     cwd=directory)
        if "parse error" in out or "could not parse" in out:
            return None
        return status == 0

    def test_every_broken_rule_is_noticed(self):
        original = self.load_rules()
        jobs = []
        for file, content in original.items():
            for g, group in enumerate(content["groups"]):
                for r, rule in enumerate(group["rules"]):
                    name = rule.get("alert") or rule["record"]
                    for what, mutant in rule_mutants(rule):
                        rules = dict(original)
                        rules[file] = copy.deepcopy(content)
                        rules[file]["groups"][g]["rules"][r] = mutant
                        jobs.append((name, what, rules))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            survived = list(pool.map(
                lambda job: self.survives(job[0], job[1][2], job[1][0]),
                enumerate(jobs)))
        killed, wrong, equivalent = 0, [], set()
        invalid = []
        for (name, what, _), alive in zip(jobs, survived):
            if alive is None:
                invalid.append((name, what))
            elif not alive:
                killed += 1
            elif (name, what) in EQUIVALENT:
                equivalent.add((name, what))
            else:
                wrong.append(f"{name}: {what}")
        print(f"{len(jobs)} mutants: {killed} noticed, {len(equivalent)} mean "
              f"the same, {len(invalid)} are no rules")
        self.assertEqual(wrong, [], "nobody noticed")
        self.assertEqual(equivalent, set(EQUIVALENT), "is noticed after all")
        self.assertEqual(invalid, [], "is not even read")
        self.assertGreater(killed, 300)

    def test_the_unbroken_rules_pass(self):
        rules = self.load_rules()
        self.assertTrue(self.survives("whole", rules, "MemoryUsageFatal"))


if __name__ == "__main__":
    unittest.main()
