# SPDX-License-Identifier: Apache-2.0
"""Real programs: the same output as bare, and ledgers exact to the call."""

import os
import shutil
import subprocess
import unittest

import counted
from scenarios import scenario

SQL = """
create table t(id integer primary key, name text, weight real, tag blob);
with recursive n(i) as (select 1 union all select i + 1 from n
                        where i < 300000)
insert into t select i, printf('row %d', i * 7919 % 300007), i / 7.0,
                     hex(i * i) from n;
create index by_name on t(name);
create table sums as select substr(name, 1, 6) as prefix, count(*) as members,
  sum(weight) as weight, group_concat(id % 10) as digits from t group by 1;
delete from t where id % 3 = 0;
update t set name = name || ' again' where id % 5 = 0;
select count(*), min(name), max(name), round(sum(weight), 3) from t;
select prefix, members, round(weight, 3), length(digits) from sums
  order by members desc, prefix limit 20;
select json_group_array(json_object('id', id, 'tag', tag)) from t
  where id < 200;
select a.id, b.id from t a join t b on b.name = a.name || ' again' limit 5;
"""

HEAVY_CXX = """
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {
template <typename... Args>
std::string Format(const std::string& pattern, const Args&... args) {
  std::ostringstream out;
  std::vector<std::function<void()>> printers{[&] { out << args; }...};
  std::size_t next = 0;
  for (char c : pattern) {
    if (c == '%' && next < printers.size()) {
      printers[next++]();
    } else {
      out << c;
    }
  }
  return out.str();
}

template <int N>
struct Level {
  std::map<std::string, std::tuple<int, double, std::string>> entries;
  std::unordered_map<std::string, std::variant<int, std::string>> kinds;
  std::unique_ptr<Level<N - 1>> below = std::make_unique<Level<N - 1>>();
  std::string Walk(const std::string& text) {
    std::regex words("([a-z]+)" + std::to_string(N) + "|[0-9]{2,}");
    for (std::sregex_iterator at(text.begin(), text.end(), words), end;
         at != end; ++at) {
      entries[at->str()] = {N, N * 0.5, Format("%/%", N, at->str(1))};
      kinds.try_emplace(at->str(), N);
    }
    return below->Walk(Format("% %", text, entries.size()));
  }
};
template <>
struct Level<0> {
  std::string Walk(const std::string& text) { return text; }
};
}  // namespace

std::string Everything(const std::string& text) {
  return Level<6>().Walk(text);
}
"""

PERL = r"""
use strict; use warnings;
my %words; my @lines;
for my $i (1 .. 60000) {
  my $key = join '-', map { ($i * $_) % 9973 } 1 .. 3;
  $words{$key} .= "x$i,";
  push @lines, [$i, $key] if $i % 3;
}
my $text = join "\n", map { "$_=$words{$_}" } sort keys %words;
my $hits = () = $text =~ /(\d+)-(\d+)-\1/g;
my $long = 'ab' x 100000; $long =~ s/b/cde/g;
my @sorted = sort { $a->[1] cmp $b->[1] || $a->[0] <=> $b->[0] } @lines;
printf "%d %d %d %s %s\n", scalar keys %words, $hits, length $long,
  $sorted[0][1], unpack '%32C*', $text;
print `echo from a shell`;
my $pid = fork // die;
if (!$pid) { my @mine = map { "child $_" } 1 .. 1000; exit @mine / 100 }
waitpid $pid, 0; printf "child ended with %d\n", $? >> 8;
exit 6;
"""

PYTHON = r"""
import asyncio, json, os, re, subprocess, sys, threading, collections
data = [{"id": i, "name": "n%d" % i,
         "tags": ["t%d" % (i % k) for k in (2, 3, 5)],
         "f": i / 7} for i in range(8000)]
text = json.dumps(data, indent=1)
assert json.loads(text) == data
print(len(text), sum(map(len, re.findall(r'"t\d"', text))))
found = collections.Counter()
lock = threading.Lock()
def work(seed):
    own = {}
    for i in range(8000):
        seed = seed * 1103515245 + 12345 & 0x7fffffff
        own[seed % 997] = str(seed) * (seed % 9)
    with lock:
        found.update({k: len(v) for k, v in own.items()})
threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
for t in threads: t.start()
for t in threads: t.join()
print(len(found), found.most_common(3))
async def one(n):
    await asyncio.sleep(n / 1000)
    p = await asyncio.create_subprocess_exec("/bin/echo", "line", str(n),
                                             stdout=subprocess.PIPE)
    return (await p.communicate())[0].decode()
async def main():
    loop = asyncio.get_running_loop()
    side = loop.run_in_executor(None, lambda: sorted(text.split())[:3])
    print(await asyncio.gather(*map(one, range(5))), await side)
asyncio.run(main())
print(subprocess.run([sys.executable, "-c", "import json; print(json.dumps("
      "list(range(5)))); raise SystemExit(2)"], stdout=subprocess.PIPE))
try:
    subprocess.run(["/nonexistent/program"])
except FileNotFoundError as error:
    print(error)
sys.stdout.flush()
child = os.fork()
if child == 0:
    left = [str(i) * 10 for i in range(5000)]
    data.clear()
    os._exit(len(left) % 251)
print("child ended with", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
sys.exit(5)
"""

NODE = r"""
const {Worker, isMainThread, parentPort} = require('worker_threads');
const {execFileSync} = require('child_process');
const crypto = require('crypto');
const zlib = require('zlib');
const rows = [];
for (let i = 0; i < 40000; ++i) {
  rows.push({id: i, name: `n${i}`, tags: [i % 2, i % 3].map(String)});
}
const text = JSON.stringify(rows);
const packed = zlib.gzipSync(text);
console.log(text.length, JSON.parse(zlib.gunzipSync(packed)).length,
            crypto.createHash('sha256').update(text).digest('hex'));
console.log(Buffer.alloc(1 << 20, 'ab').toString('base64').length);
console.log(String(execFileSync('/bin/echo', ['from a child'])).trim());
const worker = new Worker(`
  const {parentPort} = require('worker_threads');
  const m = new Map();
  for (let i = 0; i < 50000; ++i) m.set('k' + i % 4999, 'v'.repeat(i % 50));
  parentPort.postMessage([m.size, Buffer.alloc(100000).length]);`,
  {eval: true});
worker.on('message', (m) => console.log('worker', m));
worker.on('exit', async (code) => {
  const all = await Promise.all([1, 2, 3].map((n) => new Promise((done) =>
    crypto.pbkdf2('p', 's' + n, 200, 16, 'sha1',
                  (e, key) => done(key.toString('hex'))))));
  console.log('exit', code, all);
  process.exitCode = 4;
});
"""

JAVA = r"""
import java.util.*;
import java.util.concurrent.*;
import java.util.regex.*;
import java.util.stream.*;

public class Busy {
  record Row(int id, String name, double weight) {}

  public static void main(String[] args) throws Exception {
    Map<String, List<Row>> rows = IntStream.range(0, 50000)
        .mapToObj(i -> new Row(i, "n" + i % 977, i / 7.0))
        .collect(Collectors.groupingBy(Row::name, TreeMap::new,
                                       Collectors.toList()));
    System.out.println(rows.size() + " " + rows.get("n5").size());
    Matcher found = Pattern.compile("n(\\d)\\1").matcher(
        String.join(" ", rows.keySet()));
    System.out.println(found.results().count());
    ExecutorService pool = Executors.newFixedThreadPool(4);
    List<Future<Integer>> parts = new ArrayList<>();
    for (int part = 0; part < 8; ++part) {
      final int seed = part;
      parts.add(pool.submit(() -> new Random(seed).ints(20000)
          .mapToObj(Integer::toString).collect(Collectors.toSet()).size()));
    }
    int sum = 0;
    for (Future<Integer> part : parts) sum += part.get();
    pool.shutdown();
    System.out.println(sum);
    java.nio.ByteBuffer.allocateDirect(1 << 20).putInt(7);
    Process echo = new ProcessBuilder("/bin/echo", "from a child").start();
    System.out.print(new String(echo.getInputStream().readAllBytes()));
    System.out.println(echo.waitFor());
    System.exit(3);
  }
}
"""

GIT = r"""
set -e
git init -q -b main .
for round in 1 2 3 4; do
  for name in a b c d; do
    seq "$round" 7 4000 > "$name.$round"
    seq 1 "$round" 3000 > "$name.txt"
  done
  git add -A
  git commit -m "round $round"
done
git checkout -q -b side HEAD~2
echo side > side
git add side
git commit -q -m side
git checkout -q main
git merge -q --no-edit side
git log --stat -p --format='%H %an %ad %s'
git gc
git fsck --full
git cat-file --batch-check --batch-all-objects
git diff --stat HEAD~3
git rev-parse HEAD
git status --porcelain=v2 --branch
git show HEAD:nothing-of-the-kind
"""


class Everyday:
    """Programs that are run in every mode."""

    def test_sqlite3_in_memory(self):
        reports = self.run_three(
            [self.need("sqlite3"), ":memory:", SQL])
        for report, in reports.values():
            self.assertGreater(report["totals"]["allocations"], 300000)

    def test_gxx_on_a_heavy_file(self):
        compiler = self.need("g++")
        source = self.write("heavy.cc", HEAVY_CXX)
        built = os.path.join(self.scratch, "heavy.o")

        def take():
            with open(built, "rb") as file:
                content = file.read()
            os.unlink(built)
            return content

        reports = self.run_three(
            [compiler, "-std=c++17", "-O2", "-Wall", "-c", source, "-o",
             built], env={"TMPDIR": self.scratch}, after=take, minimum=3)
        if not reports:
            return
        names = {report["process"]["program"]
                 for images in reports.values() for report in images}
        self.assertTrue(any(name.endswith("as") for name in names), names)
        self.assertIn("cc1plus", names)

    def test_python3(self):
        python = self.need("python3")
        script = self.write("busy.py", PYTHON)
        for allocator in ("default", "malloc"):
            with self.subTest(allocator=allocator):
                self.run_three(
                    [python, script], status=5, minimum=8,
                    env={"PYTHONMALLOC": allocator, "PYTHONHASHSEED": "0"})

    def test_perl(self):
        self.run_three([self.need("perl"), "-e", PERL], status=6, minimum=3,
                       env={"PERL_HASH_SEED": "0"})


class RealProgramsTest(Everyday, counted.CountedTest):

    def test_a_failed_exec_leaves_the_ledger_live(self):
        process = self.start(
            [self.need("python3"), "-c",
             "import subprocess, sys\n"
             "try: subprocess.run(['/nonexistent/program'])\n"
             "except OSError as error: print(error, flush=True)\n"
             "sys.stdin.read()"], stdin=subprocess.PIPE)
        self.addCleanup(process.kill)
        self.assertIn(b"No such file", process.stdout.readline())
        report = self.only_report(process.pid)
        self.assertEqual(report["process"]["state"], "live")
        self.assertEqual(self.finish(process).status, 0)

    def test_git(self):
        self.need("git")
        script = self.write("work.sh", GIT)
        repository = os.path.join(self.scratch, "repository")

        def fresh():
            shutil.rmtree(repository, ignore_errors=True)
            os.mkdir(repository)

        environment = {
            "HOME": self.scratch, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C",
            "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "C", "GIT_COMMITTER_EMAIL": "c@example.org",
            "GIT_AUTHOR_DATE": "2024-01-02T03:04:05Z",
            "GIT_COMMITTER_DATE": "2024-01-02T03:04:05Z"}
        with open(os.path.join(self.scratch, ".gitconfig"), "w",
                  encoding="utf-8") as config:
            config.write("[gc]\n auto = 0\n autoDetach = false\n"
                         "[pack]\n threads = 2\n")
        fresh()
        self.run_three(["/bin/sh", "-c", f"cd '{repository}' && . '{script}'"],
                       status=128, env=environment, before=fresh, minimum=30)
        self.assertIn(b"round 4", self.output)

    @scenario(26)
    def test_node(self):
        self.run_three([self.need("node"), "-e", NODE], status=4)

    @scenario(26)
    def test_java_version(self):
        self.run_three([self.need("java"), "-version"])

    @scenario(26)
    def test_java_source_program(self):
        java = self.need("java")
        modules = self.run_command([java, "--list-modules"], preload=False)
        if b"jdk.compiler" not in modules.out:
            self.skipTest("this java runs no source files")
        source = self.write("Busy.java", JAVA)
        self.run_three([java, "-Xmx256m", source], status=3)

    @scenario(31)
    def test_exec_chain(self):
        bash, perl, python = self.need("bash", "perl", "python3")
        python_code = ("import json, sys; print(sys.argv[1:],"
                       " len(json.dumps(list(range(20000))))); sys.exit(9)")
        perl_code = ("my %h = map { $_ => 'x' x $_ } 1 .. 500;"
                     "$ENV{COUNT_PRELOAD_DIR} .= '/next'; $| = 1;"
                     "print scalar(keys %h), qq(\\n); exec @ARGV;")
        bash_code = ("a=(); for i in {1..500}; do a+=(\"v$i\"); done;"
                     "echo ${#a[@]}; export COUNT_PRELOAD_DIR+=/next;"
                     "exec \"$@\"")
        command = [bash, "-c", bash_code, "bash", perl, "-e", perl_code,
                   python, "-c", python_code, "end"]
        bare = self.run_command(command, preload=False)
        self.assertEqual(bare.status, 9, bare.err)
        # Each image has a directory of counts of its own.
        directories = [self.counts, os.path.join(self.counts, "next"),
                       os.path.join(self.counts, "next", "next")]
        os.makedirs(directories[-1])
        done = self.run_command(command, **self.counted())
        self.assertEqual((done.status, done.out, done.err),
                         (bare.status, bare.out, bare.err))
        stem = self.ledger_files(done.pid)[0].split("-")[-1].split(".")[0]
        reports = [self.report(os.path.join(
            self.ledgers, f"{done.pid}-{stem}{image}.ledger"))
                   for image in (".0", ".1", "")]
        self.assertEqual(len(self.ledger_files()), 3)
        for image, (report, directory, name, state) in enumerate(zip(
                reports, directories, (bash, perl, python),
                ("replaced", "replaced", "exited"))):
            self.assertEqual(report["process"]["exe"], os.path.realpath(name))
            self.assertEqual(report["process"]["image"], image)
            self.assertEqual(report["process"]["state"], state)
            count = self.read_count(
                os.path.join(directory, f"{done.pid}.count"))
            self.show(report, count)
            self.compare(report, count)


class AdaptiveTest(Everyday, counted.CountedTest):
    mode = "adaptive"


class CallerTest(Everyday, counted.CountedTest):
    mode = "caller"


class SampledTest(Everyday, counted.CountedTest):
    mode = "sampled"


class DormantTest(Everyday, counted.CountedTest):
    mode = "dormant"


if __name__ == "__main__":
    unittest.main()
