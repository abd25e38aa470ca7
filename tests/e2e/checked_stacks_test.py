# SPDX-License-Identifier: Apache-2.0
"""Every stack that was remembered or walked in part is the one that a plain
walk gives: the checking shim compares them on each allocation."""

import os
import time
import unittest

import counted
import harness
from harness import program
from real_programs_test import HEAVY_CXX, NODE

CHECKER = os.path.join(os.path.dirname(harness.SHIM),
                       "libheapledger-checking.so")
SQL = """
create table t(id integer primary key, name text, weight real);
with recursive n(i) as (select 1 union all select i + 1 from n
                        where i < 60000)
insert into t select i, printf('row %d', i * 7919 % 60007), i / 7.0 from n;
create index by_name on t(name);
select substr(name, 1, 6) as prefix, count(*), group_concat(id % 10)
  from t group by 1 order by 2 desc limit 20;
select json_group_array(json_object('id', id)) from t where id < 2000;
"""
PYTHON = r"""
import collections, json, re, threading
def work(seed):
    data = [{"k%d" % i: [i, str(i + seed), {"n": i * 1.5}]}
            for i in range(1500)]
    for _ in range(3):
        data = json.loads(json.dumps(data))
    text = json.dumps(data, indent=1)
    def nest(depth):
        return [nest(depth - 1), depth] if depth else re.findall("k[0-9]+",
                                                                 text)
    nest(seed % 60)
    sorted(collections.Counter(text.split()).items())
for seed in range(3):
    work(seed * 29)
threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
for t in threads: t.start()
for t in threads: t.join()
"""


def pigeons(count):
    """SMT-LIB: one pigeon too many, and some arithmetic."""
    lines = ["(set-logic ALL)"]
    for i in range(count):
        lines.append(f"(declare-const p{i} Int)")
        lines.append(f"(assert (and (<= 0 p{i}) (< p{i} {count - 1})))")
    for i in range(count):
        for j in range(i):
            lines.append(f"(assert (not (= p{i} p{j})))")
    lines.append("(check-sat)")
    for bits in (5, 6):
        lines += ["(push)", f"(declare-const a (_ BitVec {2 * bits}))",
                  f"(declare-const b (_ BitVec {2 * bits}))",
                  f"(assert (= (bvmul a b) (_ bv{(1 << bits) * 167 + 1} "
                  f"{2 * bits})))", "(assert (bvult a b))",
                  f"(assert (bvugt a (_ bv{1 << (bits - 3)} {2 * bits})))",
                  f"(assert (bvult b (_ bv{1 << bits} {2 * bits})))",
                  "(check-sat)", "(pop)"]
    return "\n".join(lines)


class CheckedStacksTest(counted.CountedTest):

    def setUp(self):
        super().setUp()
        self.assertTrue(os.path.exists(CHECKER), CHECKER)
        self.checked = {"preload": [CHECKER]}

    @staticmethod
    def exe_name(path):
        return os.path.basename(os.path.realpath(path))

    def check(self, name, minimum):
        """No doubt in any ledger, and enough compared in those of `name`."""
        compared = {}
        for path in self.ledger_files():
            report = self.report(path)
            process = report["process"]["program"]
            compared[process] = (compared.get(process, 0) +
                                 report["totals"]["allocations"])
            self.assertEqual(report["degraded"].get("stack_doubt", 0), 0,
                             (process, report["degraded"]))
        print(f"{name}: {compared.get(name, 0)} allocations compared, no doubt",
              flush=True)
        self.assertGreater(compared.get(name, 0), minimum, compared)

    def run_checked(self, command, minimum, status=0, name=None, env=None,
                    **kwargs):
        done = self.run_command(command, env=env, **self.checked, **kwargs)
        self.assertEqual(done.status, status, (done.out, done.err))
        self.check(name or os.path.basename(command[0]), minimum)
        return done

    # --- A program that changes its stacks in every way.

    def reuse(self, rounds, *arguments, **kwargs):
        command = [program("stack_reuse"), str(rounds),
                   program("libstack_reuse_plugin_a.so"),
                   program("libstack_reuse_plugin_b.so"), *arguments]
        bare = self.run_command(command, preload=kwargs.get("beneath", False))
        self.assertEqual(bare.status, 0, (bare.out, bare.err))
        self.checked["preload"] = [CHECKER, *kwargs.get("beneath", [])]
        done = self.run_checked(command, 1000000)
        self.assertEqual(done.out, bare.out)

    def test_stacks_that_change_in_every_way(self):
        self.reuse(4000)

    def test_handlers_that_allocate_while_we_walk(self):
        self.reuse(4000, "safe",
                   beneath=[program("libsignal_safe_malloc.so")])

    # --- Real programs.

    def test_sqlite3(self):
        self.run_checked([self.need("sqlite3"), ":memory:", SQL], 100000)

    def test_python3(self):
        python = self.need("python3")
        self.run_checked([python, self.write("busy.py", PYTHON)], 400000,
                         env={"PYTHONMALLOC": "malloc"},
                         name=self.exe_name(python))

    def test_cc1plus(self):
        source = self.write("heavy.cc", HEAVY_CXX)
        self.run_checked(
            [self.need("g++"), "-std=c++17", "-O1", "-c", source, "-o",
             os.path.join(self.scratch, "heavy.o")], 1000000, name="cc1plus",
            env={"TMPDIR": self.scratch})

    def test_z3(self):
        source = self.write("pigeons.smt2", pigeons(8))
        done = self.run_checked([self.need("z3"), source], 50000)
        self.assertTrue(done.out.startswith(b"unsat"), done.out)

    def test_node(self):
        self.run_checked([self.need("node"), "-e", NODE], 20000, status=4)

    def test_redis(self):
        server, benchmark, client = self.need(
            "redis-server", "redis-benchmark", "redis-cli")
        path = os.path.join(self.scratch, "redis.sock")
        process = self.start(
            [server, "--port", "0", "--unixsocket", path, "--save", "",
             "--dir", self.scratch, "--daemonize", "no"], **self.checked)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 30
        while not os.path.exists(path):
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        for command in (
                [benchmark, "-s", path, "-n", "20000", "-c", "20", "-r",
                 "2000", "-q", "-t", "set,get,lpush,lpop,sadd,hset,zadd,mset"],
                [client, "-s", path, "eval", "for i = 1, 20000 do "
                 "redis.call('set', 'k' .. i, string.rep('v', i % 300)); "
                 "redis.call('zadd', 'z' .. i % 20, i, 'm' .. i) end", "0"]):
            done = self.run_command(command, preload=False)
            self.assertEqual(done.status, 0, done.err)
        self.run_command([client, "-s", path, "shutdown", "nosave"],
                         preload=False)
        self.assertEqual(self.finish(process).status, 0)
        self.check(self.exe_name(server), 300000)


if __name__ == "__main__":
    unittest.main()
