# SPDX-License-Identifier: Apache-2.0
"""What the torture tests share: programs that print what they hold.

A program prints lines "function bytes objects": what is live at its end, by
the function that allocates it. Other lines are its own business.

In a mode that does not count every block (HEAPLEDGER_TEST_MODE), output, status
and the state of the ledger are held against the same; its figures, against what
the mode says.
"""

import contextlib
import functools
import re

import harness

EXPECTED = re.compile(rb"^([A-Za-z_]\w*) (\d+) (\d+)$", re.M)
SUMS = ("live_bytes", "live_objects", "allocated_bytes", "allocations",
        "freed_bytes", "frees", "inherited_bytes", "inherited_objects")


class CountsEnd(Exception):
    """Only a mode that counts every block can pass what would come now."""


class UncountedReport(dict):
    """A report whose figures are not those that the test knows."""

    def __getitem__(self, name):
        if name != "process":
            raise CountsEnd
        return super().__getitem__(name)


class TortureTest(harness.ShimTest):

    def __init__(self, name="runTest"):
        super().__init__(name)
        setattr(self, name,
                functools.partial(self.until_counts_end, getattr(self, name)))

    @staticmethod
    def until_counts_end(method):
        with contextlib.suppress(CountsEnd):
            method()

    @contextlib.contextmanager
    def subTest(self, *args, **kwargs):
        with super().subTest(*args, **kwargs), contextlib.suppress(CountsEnd):
            yield

    def report(self, what):
        return self.in_mode(super().report(what))

    def in_mode(self, report):
        """The report, when it is what the mode allows."""
        if self.counts_all:
            return report
        self.assertEqual(report["degraded"].get("foreign_free", 0), 0)
        process = report["process"]
        if self.mode == "dormant":
            self.assertEqual(process["mode"], "dormant")
            self.assertEqual(report["totals"],
                             dict.fromkeys(report["totals"], 0))
        else:
            self.assertEqual((process["mode"], process["estimated"]),
                             ("sampled", True))
        return UncountedReport(report)

    @staticmethod
    def expected(out):
        """function -> [bytes, objects], of the lines that say so."""
        return {name.decode(): [int(size), int(objects)]
                for name, size, objects in EXPECTED.findall(out)}

    @staticmethod
    def sums_of(report, function):
        """The sums of all callsites that `function` is in."""
        sums = dict.fromkeys(SUMS, 0)
        for site in report["callsites"]:
            if any(frame["function"].split("(")[0] == function
                   for frame in site["stack"]):
                for name in SUMS:
                    sums[name] += site[name]
        return sums

    def check_live(self, report, out):
        """The report says of the functions what the program said."""
        expected = self.expected(out)
        self.assertTrue(expected, out)
        self.assertEqual(self.live_by_function(report, expected), expected)

    def check_known(self, command, state="exited", env=None, timeout=60,
                    preload=True, bare_preload=False, **kwargs):
        """Runs bare and shimmed: the same to see, and the ledger is right."""
        bare = self.run_command(command, preload=bare_preload, env=env,
                                timeout=timeout, **kwargs)
        done = self.run_command(command, preload=preload, env=env,
                                timeout=timeout, **kwargs)
        self.assertEqual((bare.status, bare.out, bare.err),
                         (done.status, done.out, done.err))
        report = self.report(self.ledger_files(done.pid)[-1])
        self.assertEqual(report["process"]["state"], state)
        if self.counts_all:
            self.check_live(report, done.out)
        return report

    def check_bare_and_shimmed(self, command, **kwargs):
        done = self.run_both(command, **kwargs)
        self.assertGreaterEqual(done.status, 0, done.err)
        return done

    def off_reasons(self, pid):
        return [reason for name, reason in self.off_markers().items()
                if name.startswith(f"{pid}-")]
