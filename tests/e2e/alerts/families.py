# SPDX-License-Identifier: Apache-2.0
"""Made-up lives of a process, one figure of memory a second: leaks, and what
only looks like one. The same seed makes the same lives in every run.

A trace has a limit of 0.5 to 4 GiB, a base, noise and an onset. It is cut where
it reaches its limit: that is where the kernel would end the process.
"""

import bisect
import math
import random

from trace_file import Trace

HOURS = 6
LENGTH = HOURS * 3600  # seconds
GIB = 1 << 30


class Dice:
    """What all families draw alike."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.uniform = self.random.uniform
        self.limit = int(self.log_uniform(0.5, 4) * GIB)
        self.base = self.uniform(0.15, 0.45)
        self.onset = int(self.uniform(1200, 6000))

    def log_uniform(self, low, high):
        return math.exp(self.uniform(math.log(low), math.log(high)))

    def noise(self, seconds, most=0.01):
        """Shares of the limit: what comes and goes within a second, and a slow
        part that forgets itself in up to ten minutes."""
        quick = self.log_uniform(0.0002, 0.3 * most)
        slow = self.log_uniform(0.0005, most)
        memory = math.exp(-1 / self.log_uniform(10, 600))
        kick = slow * math.sqrt(1 - memory * memory)
        gauss = self.random.gauss
        level = slow * gauss(0, 1)
        values = []
        for _ in range(seconds):
            level = memory * level + kick * gauss(0, 1)
            values.append(level + quick * gauss(0, 1))
        return values

    def teeth(self, low, high, shortest=60, longest=1200):
        """A sawtooth of shares of the limit: fills, and is emptied. No two
        teeth are alike, neither in length nor in height nor in what is left."""
        height = self.uniform(low, high)
        period = self.log_uniform(shortest, longest)
        uneven = self.uniform(0.02, 0.15)
        values = []
        while len(values) < LENGTH:
            length = max(2, int(period * self.uniform(1 - uneven, 1 + uneven)))
            top = height * self.uniform(1 - uneven, 1)
            left = height * self.uniform(0, 0.3 * uneven)
            step = (top - left) / length
            values.extend(left + step * i for i in range(length))
        start = self.random.randrange(int(period))
        facts = {"height": round(height, 3), "period_s": round(period)}
        # The first tooth is under way when the trace begins.
        return (values[start:] + values[:start])[:LENGTH], facts

    def wavering(self, seconds, most=0.3):
        """A clock that runs fast and slow: what grows never grows evenly."""
        spread = self.uniform(0, most)
        memory = math.exp(-1 / self.log_uniform(30, 300))
        kick = spread * math.sqrt(1 - memory * memory)
        level, total = 0.0, 0.0
        times = []
        for _ in range(seconds):
            times.append(total)
            level = memory * level + kick * self.random.gauss(0, 1)
            total += max(0.0, 1 + level)
        return times


def _leak(dice, name, shape, facts):
    return Trace(name, dice.limit, dice.onset,
                 [dice.limit * share for share in shape], facts)


def _harmless(dice, name, shape, facts=None):
    return Trace(name, dice.limit, None,
                 [dice.limit * share for share in shape], facts)


def _linear(dice, name, least, most):
    minutes = dice.uniform(least, most)
    rate = (1 - dice.base) / (60 * minutes)
    noise = dice.noise(LENGTH)
    grown = dice.wavering(LENGTH - dice.onset)
    shape = [dice.base + x for x in noise]
    for t in range(dice.onset, LENGTH):
        shape[t] += rate * grown[t - dice.onset]
    return _leak(dice, name, shape, {"minutes": round(minutes)})


def leak_fast(dice, name):
    return _linear(dice, name, 20, 90)


def leak_slow(dice, name):
    return _linear(dice, name, 120, 240)


def leak_exponential(dice, name):
    minutes = dice.uniform(60, 180)
    foldings = dice.uniform(1.5, 4)
    scale = (1 - dice.base) / math.expm1(foldings)
    grown = dice.wavering(LENGTH - dice.onset, 0.1)
    shape = [dice.base + x for x in dice.noise(LENGTH)]
    for t in range(dice.onset, LENGTH):
        power = foldings * grown[t - dice.onset] / (60 * minutes)
        shape[t] += scale * math.expm1(min(power, foldings + 1))
    return _leak(dice, name, shape, {
        "minutes": round(minutes), "foldings": round(foldings, 2)})


def leak_sawtooth(dice, name):
    """What leaks in a period is a small part of a tooth."""
    dice.base = dice.uniform(0.15, 0.35)
    teeth, facts = dice.teeth(0.15, 0.4)
    minutes = dice.uniform(90, 240)
    rate = (1 - dice.base - facts["height"]) / (60 * minutes)
    noise = dice.noise(LENGTH, 0.005)
    grown = dice.wavering(LENGTH - dice.onset)
    shape = [dice.base + x + y for x, y in zip(noise, teeth)]
    for t in range(dice.onset, LENGTH):
        shape[t] += rate * grown[t - dice.onset]
    facts["minutes"] = round(minutes)
    facts["teeth_per_leak"] = round(
        facts["height"] / (rate * facts["period_s"]), 1)
    return _leak(dice, name, shape, facts)


def leak_burst(dice, name):
    """From nothing to the end in one to five minutes."""
    return _linear(dice, name, 1, 5)


def step(dice, name):
    """One to four loads that stay, each within two minutes."""
    room = dice.uniform(0.3, 0.85 - dice.base)
    count = dice.random.randint(1, 4)
    shape = [dice.base + x for x in dice.noise(LENGTH)]
    for begin in sorted(dice.uniform(600, LENGTH) for _ in range(count)):
        ramp = dice.log_uniform(1, 120)
        height = room / count * dice.uniform(0.5, 1)
        for t in range(int(begin), LENGTH):
            shape[t] += height * min(1, (t - begin) / ramp)
    return _harmless(dice, name, shape, {"steps": count})


def sawtooth(dice, name):
    teeth, facts = dice.teeth(0.1, 0.85 - dice.base)
    shape = [dice.base + x + y
             for x, y in zip(dice.noise(LENGTH, 0.005), teeth)]
    return _harmless(dice, name, shape, facts)


def warm_up(dice, name):
    """A cache of ever rarer keys: a logarithm, to 50 to 85 % at the end."""
    top = dice.uniform(max(0.5, dice.base + 0.1), 0.85)
    tau = dice.log_uniform(60, 1200)
    scale = (top - dice.base) / math.log1p((LENGTH - dice.onset) / tau)
    shape = [dice.base + x for x in dice.noise(LENGTH)]
    for t in range(dice.onset, LENGTH):
        shape[t] += scale * math.log1p((t - dice.onset) / tau)
    return _harmless(dice, name, shape, {"tau_s": round(tau)})


def diurnal(dice, name):
    """Follows a day of 8 to 24 hours, to 85 % at most."""
    top = dice.uniform(0.5, 0.85)
    bottom = dice.uniform(0.15, top - 0.1)
    period = dice.log_uniform(8, 24) * 3600
    phase = dice.uniform(0, 2 * math.pi)
    turn = 2 * math.pi / period
    shape = [
        (top + bottom) / 2 - (top - bottom) / 2 * math.cos(turn * t + phase) + x
        for t, x in enumerate(dice.noise(LENGTH))]
    return _harmless(dice, name, shape,
                  {"period_h": round(period / 3600, 1)})


def fragmentation(dice, name):
    """Spreads over ever more pages until a balance is reached."""
    top = dice.uniform(max(0.5, dice.base + 0.1), 0.85)
    tau = dice.log_uniform(600, 3600)
    shape = [dice.base + x for x in dice.noise(LENGTH)]
    for t in range(dice.onset, LENGTH):
        shape[t] -= (top - dice.base) * math.expm1((dice.onset - t) / tau)
    return _harmless(dice, name, shape, {"tau_s": round(tau)})


def burst(dice, name):
    """Requests for a lot, given back within ten seconds to three minutes."""
    shape = [dice.base + x for x in dice.noise(LENGTH)]
    count = dice.random.randint(2, 30)
    begins = sorted(dice.random.randrange(LENGTH) for _ in range(count))
    for begin in begins:
        length = int(dice.log_uniform(10, 180))
        height = dice.uniform(0.1, 0.88 - dice.base)
        rise = dice.uniform(0.05, 0.9) * length
        following = bisect.bisect_right(begins, begin)
        end = min(begin + length, LENGTH,
                  begins[following] if following < count else LENGTH)
        for t in range(begin, end):
            shape[t] += height * min(1, (t - begin) / rise)
    return _harmless(dice, name, shape, {"bursts": count})


def flat(dice, name):
    """Nothing but noise, three times as much as elsewhere."""
    shape = [dice.base + x for x in dice.noise(LENGTH, 0.03)]
    return _harmless(dice, name, shape)


LEAKS = {
    "leak-fast": leak_fast,
    "leak-slow": leak_slow,
    "leak-exponential": leak_exponential,
    "leak-sawtooth": leak_sawtooth,
    "leak-burst": leak_burst,
}
HARMLESS = {
    "step": step,
    "sawtooth": sawtooth,
    "warm-up": warm_up,
    "diurnal": diurnal,
    "fragmentation": fragmentation,
    "burst": burst,
    "flat": flat,
}
FAMILIES = LEAKS | HARMLESS


def make(family, number, seed):
    name = f"{family}-{number}"
    return FAMILIES[family](Dice(f"{seed}/{name}"), name)
