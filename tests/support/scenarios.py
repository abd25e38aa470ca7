# SPDX-License-Identifier: Apache-2.0
"""What a preloaded ledger must survive: the scenarios, by number.

A Python test carries the mark @scenario(number, ...); `slow` is for one that
takes over half a minute, which only scripts/scenarios runs. Tests of other
kinds stand in the table, as "ctest name" or "ctest name:gtest filter".
scripts/scenarios runs them all and makes a table of it; check_scenarios, a
static test, holds marks and table against each other.

Priorities: P0: a crash, a hang or a wrong verdict ends trust. P1: must work.
P2: must fail politely.
"""

import dataclasses
import os
import unittest

SLOW = os.environ.get("HEAPLEDGER_SLOW") == "1"
# For forms that take minutes, on request.
LONG = os.environ.get("HEAPLEDGER_LONG") == "1"


def scenario(*numbers, slow=False):
    """Marks a test, or a class of tests, as one of these scenarios."""
    assert numbers and all(number in BY_NUMBER for number in numbers), numbers

    def mark(test):
        if slow and not SLOW:
            return unittest.skip("slow; HEAPLEDGER_SLOW=1 runs it")(test)
        return test
    return mark


@dataclasses.dataclass(frozen=True)
class Scenario:
    number: int
    priority: str
    title: str
    tests: tuple = ()  # beside those that carry the mark
    lacks: str = ""  # what no test here shows, and why


SCENARIOS = (
    # A. Start-up and symbols
    Scenario(1, "P0", "dlsym calls calloc, or is not ready",
             ("pools_test:BootstrapPoolTest.*",)),
    Scenario(2, "P0", "thread-local storage: none that is dynamic",
             ("check_preload",)),
    Scenario(3, "P0", "the first call of each entry point"),
    Scenario(4, "P1", "an environment that is not ready, or wrong"),
    Scenario(5, "P0", "another allocator below or above"),
    Scenario(6, "P0", "a program with its own malloc"),
    Scenario(7, "P0", "RTLD_DEEPBIND and foreign frees"),
    Scenario(8, "P0", "programs that cannot be instrumented"),
    Scenario(9, "P1", "programs built with a sanitizer"),
    Scenario(10, "P1", "dlmopen and LD_AUDIT"),
    # B. The allocation contract
    Scenario(11, "P0", "every entry point, exact semantics",
             lacks="free_sized and free_aligned_sized: glibc 2.36 has none"),
    Scenario(12, "P0", "realloc: the ledger changes once",
             ("books_test:BooksTest.AgreesWithAModelOver*",)),
    Scenario(13, "P0", "an address that is used again at once"),
    Scenario(14, "P0", "exact at quiescence, never negative",
             ("books_test:BooksTest.LosesNothing*",)),
    Scenario(15, "P1", "sizes of every order",
             ("object_map_test",)),
    Scenario(16, "P0", "a full ledger",
             ("books_test:TinyBooksTest.*",
              "callsite_table_test:CallsiteTableTest.HoldsAHundred*")),
    # C. Threads, signals, stacks
    Scenario(17, "P0", "allocation after our thread state is gone"),
    Scenario(18, "P0", "many threads", ("pools_test:ThreadPoolTest.*",)),
    Scenario(19, "P0", "signal handlers that allocate or jump out"),
    Scenario(20, "P1", "no helper thread"),
    Scenario(21, "P0", "small stacks", ("check_shim_code",),
             lacks="a call from code that is met for the first time reads its "
             "unwind tables and takes 2.3 KiB, not 1 KiB: still less than "
             "libc's own first call of a thread, to which the test holds it"),
    Scenario(22, "P0", "switched stacks",
             ("preload_unwind_test:WalkTest.AnUnknownStackAllowsShortSteps",)),
    Scenario(23, "P0", "loader and unwinder deadlocks", ("check_shim_code",)),
    Scenario(24, "P1", "pthread functions re-entered"),
    Scenario(25, "P1", "exceptions, longjmp and cancellation through us"),
    Scenario(26, "P1", "JITs and frames without unwind data",
             ("unwind_real_stacks_test:RealStacksTest.EmittedCode*",)),
    Scenario(27, "P1", "code that was loaded and closed",
             ("callsite_table_test:CallsiteTableTest."
              "FindsItsCallsitesAgainWhenAModuleComesBack",)),
    # D. Processes and the kernel
    Scenario(28, "P0", "fork with threads"),
    Scenario(29, "P0", "vfork, posix_spawn, clone(CLONE_VM)"),
    Scenario(30, "P1", "raw fork and clone"),
    Scenario(31, "P1", "exec chains"),
    Scenario(32, "P0", "every way to end"),
    Scenario(33, "P0", "descriptors"),
    Scenario(34, "P0", "output untouched"),
    Scenario(35, "P0", "shared memory missing, full, read-only, tiny"),
    Scenario(36, "P1", "limits"),
    Scenario(37, "P1", "memory that is refused (strict overcommit)",
             lacks="overcommit itself is one switch for the whole machine; "
             "its refusals are injected"),
    Scenario(38, "P0", "seccomp"),
    Scenario(39, "P1", "privileges dropped, chroot, no /proc"),
    Scenario(40, "P1", "set-uid and AT_SECURE"),
    Scenario(41, "P1", "pid namespaces, pid 1, a pid used again",
             ("process_identity_test",)),
    Scenario(42, "P2", "core dumps, ptrace, gdb, strace",
             lacks="CRIU: it is not installed here"),
    # E. The gate's verdict
    Scenario(43, "P0", "roots of every kind"),
    Scenario(44, "P0", "interior and tagged pointers",
             ("preload_scan_test:MarkerTest.*",)),
    Scenario(45, "P0", "dead frames"),
    Scenario(46, "P0", "the time of judgement"),
    Scenario(47, "P0", "threads that run at exit"),
    Scenario(48, "P0", "the process tree"),
    Scenario(49, "P0", "exit statuses",
             ("gate_judge_test",)),
    Scenario(50, "P1", "suppressions and annotations",
             ("gate_suppressions_test", "gate_lsan_pattern_test"),
             lacks="__lsan_register_root_region and "
             "__lsan_default_suppressions are not honoured"),
    Scenario(51, "P0", "the same verdict every time"),
    # F. Live suspicion
    Scenario(52, "P1", "growth, age and reachability while running"),
    # G. Collector, files, security
    Scenario(53, "P0", "how the ledger file is made",
             ("discovery_test", "control_word_test")),
    Scenario(54, "P0", "a hostile or torn ledger",
             ("hostile_ledger_test", "ledger_reader_test",
              "ledger_reader_fuzz_replay",
              "collect_verb_test:CollectTest.ScrapesOnPastALedger*")),
    Scenario(55, "P0", "names that an attacker chose",
             ("exporter_text_format_test",
              "exporter_endpoints_test:EndpointsTest.PassesPromtoolWithHostileNames",
              "cli_test:CliTest.KeepsTerminalCodesOfNamesOut")),
    Scenario(56, "P1", "HTTP",
             ("http_server_test", "http_tls_test", "http_request_fuzz_replay",
              "http_headers_fuzz_replay", "exporter_web_config_test",
              "web_config_fuzz_replay")),
    Scenario(57, "P1", "the life of the data"),
    Scenario(58, "P1", "snapshots",
             ("hl_file_test", "hl_file_fuzz_replay")),
    Scenario(59, "P0", "the tool's own failure"),
)
BY_NUMBER = {one.number: one for one in SCENARIOS}
assert sorted(BY_NUMBER) == list(range(1, 60))
