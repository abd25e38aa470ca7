# SPDX-License-Identifier: Apache-2.0
"""Servers under load: the same answers as bare, and every worker's, backend's
and child's ledger exact to the call."""

import http.client
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import counted
import harness

LOAD_SQL = """
create table words as select i as id, md5(i::text) as word,
  array[i, i * 2] as parts, jsonb_build_object('i', i) as doc
  from generate_series(1, 20000) i;
create index on words(word);
create index on words using gin(doc);
create function fib(n int) returns int language plpgsql as
  $$ begin if n < 2 then return n; end if;
     return fib(n - 1) + fib(n - 2); end $$;
analyze words;
select count(*), min(word), max(word), sum(parts[2]) from words;
select fib(15);
select id, word from words where word like 'ab%' order by word limit 5;
select string_agg(word, ',' order by id) from words where id % 1000 = 0;
set max_parallel_workers_per_gather = 2;
set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
set min_parallel_table_scan_size = 0;
select sum(length(a.word)) from words a join words b using (word);
select 1 / 0;
"""


class ServersTest(counted.CountedTest):

    def ways(self):
        """Arguments of start() for the bare run and the counted one."""
        return (("bare", {"preload": False, "env": {}}),
                ("counted", self.counted()))

    def serve(self, command, ready, arguments, **kwargs):
        """Starts a server, to be ended with the test, and waits for it."""
        log = open(os.path.join(self.scratch, "server.log"), "w+b")
        self.addCleanup(log.close)
        server = self.start(command, **arguments, stdout=log, stderr=log,
                            **kwargs)
        self.addCleanup(self.end, server)
        deadline = time.monotonic() + 60
        while not ready():
            if server.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                self.fail(f"{command[0]} is not ready: {server.poll()}"
                          f" {log.read()[-2000:]}")
            time.sleep(0.05)
        return server

    @staticmethod
    def end(server):
        """What a failed test left: quit, for servers with children, or die."""
        if server.poll() is None:
            server.send_signal(signal.SIGQUIT)
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()

    def wait_for(self, server):
        self.assertEqual(server.wait(timeout=60), 0)
        # Grandchildren that outlive their parent are done a moment later.
        deadline = time.monotonic() + 30
        pids = {int(os.path.basename(path).split("-")[0])
                for path in self.ledger_files()}
        while time.monotonic() < deadline and any(
                self.runs(pid) for pid in pids):
            time.sleep(0.05)

    @staticmethod
    def runs(pid):
        try:
            with open(f"/proc/{pid}/stat", "rb") as stat:
                return stat.read().rsplit(b")", 1)[1].split()[0] != b"Z"
        except OSError:
            return False


class RedisTest(ServersTest):

    def use(self, way, arguments, beneath=()):
        """Runs a server under load; what it holds and answers at the end."""
        path = os.path.join(self.scratch, "redis.sock")
        server, benchmark, client = self.need(
            "redis-server", "redis-benchmark", "redis-cli")
        self.clear()
        if way == "counted" and beneath:
            arguments["preload"] = [*arguments["preload"], *beneath]

        def ask(*words, status=0, **kwargs):
            done = self.run_command([client, "-s", path, *words], **arguments,
                                    **kwargs)
            self.assertEqual(done.status, status, (done.out, done.err))
            return done.out

        process = self.serve(
            [server, "--port", "0", "--unixsocket", path, "--save", "",
             "--dir", self.scratch, "--daemonize", "no", "--dbfilename",
             "dump.rdb", "--list-max-listpack-size", "16"],
            lambda: os.path.exists(path), arguments)
        if way == "counted":
            with open(f"/proc/{process.pid}/maps", encoding="utf-8") as maps:
                self.assertIn("libjemalloc", maps.read())
        load = self.run_command(
            [benchmark, "-s", path, "-n", "10000", "-c", "20", "-r", "2000",
             "-q", "-t", "ping,set,get,incr,lpush,rpush,lpop,sadd,hset,spop,"
             "zadd,zpopmin,lrange_100,mset"], **arguments)
        self.assertEqual(load.status, 0, load.err)
        ask("flushall")
        ask("eval", "for i = 1, 20000 do redis.call('set', 'k' .. i, "
            "string.rep('v', i % 300)); redis.call('rpush', 'l' .. i % 50, i);"
            "redis.call('zadd', 'z' .. i % 20, i, 'm' .. i);"
            "redis.call('hset', 'h' .. i % 10, 'f' .. i, i) end", "0")
        answers = [ask("dbsize"), ask("get", "k299"), ask("lrange", "l7", "0",
                                                          "-1"),
                   ask("zrange", "z3", "5", "50", "withscores"),
                   ask("hlen", "h1"), ask("strlen", "k299"),
                   ask("nonsense")]
        # A forked child writes the data down.
        ask("bgsave")
        deadline = time.monotonic() + 60
        while b"rdb_bgsave_in_progress:0" not in ask("info", "persistence"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        answers.append(b"rdb_last_bgsave_status:ok" in
                       ask("info", "persistence"))
        answers.append(ask("shutdown", "nosave"))
        self.wait_for(process)
        os.unlink(os.path.join(self.scratch, "dump.rdb"))
        return answers, process.pid

    def check(self, beneath=()):
        answers = {}
        for way, arguments in self.ways():
            answers[way], pid = self.use(way, arguments, beneath)
        self.assertEqual(answers["bare"], answers["counted"])
        self.assertIn(True, answers["bare"])
        reports = self.check_ledgers(10)
        self.assertGreater(reports[pid][-1]["totals"]["allocations"], 50000)
        inherited = [report["totals"]["inherited_objects"] > 10000
                     for images in reports.values() for report in images]
        self.assertEqual(inherited.count(True), 1)

    def test_redis_over_its_jemalloc(self):
        self.check()

    def test_redis_over_libc(self):
        # libc comes before the jemalloc that the program is linked with.
        self.check(["libc.so.6"])


class PostgresTest(ServersTest):

    def test_postgres_with_pgbench(self):
        bin_directories = "/usr/lib/postgresql/*/bin/"
        initdb, postgres, pg_ctl, pgbench, psql = self.need(
            *([bin_directories + name, name] for name in
              ("initdb", "postgres", "pg_ctl", "pgbench", "psql")))
        # The server refuses to run as root, and a ledger directory belongs to
        # the user whose processes write there.
        user = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            user = {"user": nobody.pw_uid, "group": nobody.pw_gid,
                    "extra_groups": []}
            for directory in (self.scratch, self.ledgers, self.counts):
                os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        # Libraries where that user can read them.
        libraries = tempfile.mkdtemp(prefix="heapledger-e2e-")
        self.addCleanup(shutil.rmtree, libraries)
        os.chmod(libraries, 0o755)
        preload = [shutil.copy(path, libraries)
                   for path in (harness.COUNTER, harness.SHIM)]
        data = os.path.join(self.scratch, "data")
        connection = ["-h", self.scratch, "-U", "owner"]
        answers = {}
        for way, arguments in self.ways():
            self.clear()
            shutil.rmtree(data, ignore_errors=True)
            if way == "counted":
                arguments["preload"] = preload
            arguments["env"].update(
                {"HOME": self.scratch, "LC_ALL": "C", "PGDATABASE": "postgres",
                 "TZ": "UTC"})

            def run(command, status=0, arguments=arguments):
                done = self.run_command(command, **arguments, **user,
                                        cwd=self.scratch)
                self.assertEqual(done.status, status, (done.out, done.err))
                return done

            made = run([initdb, "-D", data, "-U", "owner", "-A", "trust",
                        "--no-sync", "--locale=C", "-E", "UTF8"])
            server = self.serve(
                [postgres, "-D", data, "-k", self.scratch, "-h", "", "-F",
                 "-c", "shared_buffers=16MB", "-c", "max_connections=20",
                 "-c", "autovacuum_naptime=1s"],
                lambda arguments=arguments: self.run_command(
                    [psql, *connection, "-c", "select 1"], preload=False,
                    env={"PGDATABASE": "postgres"}).status == 0,
                arguments, cwd=self.scratch, **user)
            run([pgbench, *connection, "-i", "-s", "1", "-q"])
            for mode in ("simple", "prepared"):
                run([pgbench, *connection, "-c", "1", "-t", "300", "-M", mode,
                     "-n", "--random-seed=42"])
            run([pgbench, *connection, "-c", "4", "-j", "2", "-t", "100", "-n",
                 "-S"])
            words = run([psql, *connection, "-X", "-A", "-f",
                         self.write("load.sql", LOAD_SQL)])
            sums = run([psql, *connection, "-X", "-A", "-c",
                        "select count(*), sum(abalance), (select sum(bbalance)"
                        " from pgbench_branches), (select count(*) from"
                        " pgbench_history) from pgbench_accounts"])
            stopped = run([pg_ctl, "-D", data, "-m", "fast", "-w", "stop"])
            self.wait_for(server)
            answers[way] = [(done.out, done.err)
                            for done in (made, words, sums)]
            self.assertIn(b"server stopped", stopped.out)
        self.assertEqual(answers["bare"], answers["counted"])
        self.assertIn(b"division by zero", answers["bare"][1][1])
        self.assertIn(b"100000|", answers["bare"][2][0])
        reports = self.check_ledgers(30)
        backends = [report for images in reports.values()
                    for report in images
                    if report["process"]["exe"].endswith("/postgres")]
        self.assertGreater(len(backends), 15)
        self.assertGreater(reports[server.pid][-1]["totals"]["allocations"],
                           1000)


class NginxTest(ServersTest):

    CONFIG = """
daemon off; master_process on; worker_processes 2; pid nginx.pid;
error_log error.log; worker_rlimit_nofile 512;
events { worker_connections 128; }
http {
  access_log access.log; client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  gzip on; gzip_types text/plain; gzip_min_length 100; gzip_proxied any;
  default_type text/plain;
  server {
    listen 127.0.0.1:%d;
    root files;
    location /moved { return 301 /small.txt; }
    location /said { return 200 "said $arg_word\\n"; }
    location ~ ^/(?<name>[a-z]+)/rewritten$ { rewrite ^ /$name.txt last; }
    location /proxied/ { proxy_pass http://127.0.0.1:%d/; }
  }
}
"""

    def test_nginx_under_wrk(self):
        nginx, wrk = self.need("nginx", "wrk")
        os.chmod(self.scratch, 0o755)  # workers give up root
        files = os.path.join(self.scratch, "files")
        os.mkdir(files)
        with open(os.path.join(files, "small.txt"), "w") as out:
            out.write("small\n" * 50)
        with open(os.path.join(files, "large.txt"), "w") as out:
            out.write("".join(f"line {i}\n" for i in range(50000)))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        config = self.write("nginx.conf", self.CONFIG % (port, port))
        command = [nginx, "-p", self.scratch, "-c", config,
                   "-e", os.path.join(self.scratch, "error.log")]

        def get(path, **headers):
            connection = http.client.HTTPConnection("127.0.0.1", port,
                                                    timeout=20)
            connection.request("GET", path, headers={
                name.replace("_", "-"): value
                for name, value in headers.items()})
            answer = connection.getresponse()
            seen = {name: value for name, value in answer.getheaders()
                    if name != "Date"}
            body = answer.read()
            connection.close()
            return answer.status, seen, body

        def ready():
            try:
                return get("/said")[0] == 200
            except OSError:
                return False

        answers = {}
        for way, arguments in self.ways():
            self.clear()
            server = self.serve(command, ready, arguments)
            answers[way] = [
                get("/small.txt"), get("/large.txt"),
                get("/large.txt", Accept_Encoding="gzip"),
                get("/large.txt", Range="bytes=1000-5000,9000-9010")[0],
                get("/missing"), get("/moved"), get("/said?word=hello"),
                get("/small/rewritten"), get("/proxied/large.txt")]
            for path, more in (("/small.txt", []), ("/proxied/small.txt", []),
                               ("/large.txt", ["-H", "Accept-Encoding: gzip"]),
                               ):
                load = self.run_command(
                    [wrk, "-t", "1", "-c", "16", "-d", "1s", *more,
                     f"http://127.0.0.1:{port}{path}"], preload=False)
                self.assertEqual(load.status, 0, load.err)
                self.assertNotIn(b"Non-2xx", load.out)
                self.assertNotIn(b"Socket errors", load.out)
            server.send_signal(signal.SIGHUP)  # new workers, old ones retire
            time.sleep(0.5)
            self.assertEqual(get("/small.txt"), answers[way][0])
            server.send_signal(signal.SIGQUIT)
            self.wait_for(server)
        self.assertEqual(answers["bare"], answers["counted"])
        reports = self.check_ledgers(5)
        self.assertEqual(len(reports), 5)  # master, two workers twice
        del reports[server.pid]
        served = sorted(images[-1]["totals"]["allocations"]
                        for images in reports.values())
        self.assertGreater(served[-1], 10000)


if __name__ == "__main__":
    unittest.main()
