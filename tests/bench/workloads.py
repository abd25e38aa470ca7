# SPDX-License-Identifier: Apache-2.0
"""Real programs at real jobs: 1.5 to 4 seconds of CPU each, the same work every
time. Inputs come from inputs/ and, where they are large, from here.

NOTE: changing a job makes all figures of before incomparable.
"""

import json
import pathlib
import random
import shutil
import socket
import subprocess
import threading
import time
import zlib

INPUTS = pathlib.Path(__file__).resolve().parent / "inputs"
# What the geometric mean is over; jq stands beside.
IN_THE_MEAN = ("sqlite3", "cc1plus", "python3", "z3", "lua", "perl", "redis")
SECONDS_TO_START, SECONDS_TO_END = 30, 300


class Workload:
    """A program and its job.

    command: what is measured. settings: added to the environment. drive: for a
    server, called with its process while it runs; it ends the server and
    returns what identifies its output.
    """

    def __init__(self, name, command, settings=None, drive=None):
        self.name, self.command = name, command
        self.settings, self.drive = settings or {}, drive


def need(program):
    path = shutil.which(program)
    if path is None:
        raise FileNotFoundError(
            f"{program} is missing; scripts/packages bench installs it")
    return path


def sqlite3(_):
    return Workload("sqlite3", [need("sqlite3"), "-batch", "-init",
                                "/dev/null", ":memory:",
                                f".read {INPUTS / 'job.sql'}"])


def cc1plus(scratch):
    """The compiler proper on a preprocessed file: one process."""
    source = scratch / "job.ii"
    subprocess.run([need("g++"), "-std=c++17", "-E", str(INPUTS / "job.cc"),
                    "-o", str(source)], check=True, timeout=60)
    compiler = subprocess.run(["g++", "-print-prog-name=cc1plus"], check=True,
                              stdout=subprocess.PIPE, text=True,
                              timeout=60).stdout.strip()
    return Workload("cc1plus", [compiler, "-quiet", "-fpreprocessed",
                                "-std=c++17", "-O2", str(source), "-o", "-"])


def python3(_):
    # Its own pools would hide most allocations from every tool.
    return Workload("python3", ["/usr/bin/python3", "-S", "-s",
                                str(INPUTS / "job.py")],
                    {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})


def z3(scratch):
    """A straight line of stores, whose every read is expanded and solved."""
    words, stores = 50, 1000
    chance = random.Random(1)

    def cell():
        return f"(_ bv{chance.randrange(64)} 32)"

    word = "(_ BitVec 32)"
    memory = f"(Array {word} {word})"
    lines = ["(set-logic QF_ABV)",
             *(f"(declare-const x{i} {word})" for i in range(words)),
             f"(declare-const a0 {memory})"]
    for k in range(stores):
        i, j, l = (chance.randrange(words) for _ in range(3))
        operation = chance.choice(["add", "xor", "and", "or", "sub"])
        lines.append(f"(define-fun a{k + 1} () {memory} (store a{k} {cell()} "
                     f"(bv{operation} (select a{k} {cell()}) x{i})))")
        if k % 8 == 0:
            lines.append(f"(assert (distinct (select a{k + 1} {cell()}) "
                         f"(bvadd x{j} x{l})))")
    problem = scratch / "job.smt2"
    problem.write_text("\n".join(lines) + "\n(check-sat)\n", encoding="ascii")
    return Workload("z3", [need("z3"), str(problem)])


def lua(_):
    return Workload("lua", [need("lua5.4"), str(INPUTS / "job.lua")])


def perl(_):
    return Workload("perl", [need("perl"), str(INPUTS / "job.pl")],
                    {"PERL_HASH_SEED": "0"})


def jq(scratch):
    """About 20 MB of JSON."""
    rows = [{"id": i, "name": f"name {i * 7919 % 100003}", "weight": i / 7,
             "tags": [f"tag {i % k}" for k in (2, 3, 5)],
             "inner": {"a": i % 11, "b": [i, i + 1]}} for i in range(140000)]
    document = scratch / "job.json"
    document.write_text(json.dumps(rows), encoding="ascii")
    return Workload("jq", [need("jq"), "-f", str(INPUTS / "job.jq"),
                           str(document)])


def redis_commands():
    """Some 400,000 commands over 60,000 keys, in the server's protocol."""
    chance = random.Random(1)
    out = []

    def command(*words):
        out.append(f"*{len(words)}\r\n" + "".join(
            f"${len(word)}\r\n{word}\r\n" for word in words))

    for i in range(400000):
        key = chance.randrange(10000)
        text = f"value {i} " * (1 + key % 8)
        kind = i % 12
        if kind < 3:
            command("SET", f"text:{key}", text)
        elif kind < 5:
            command("GET", f"text:{key}")
        elif kind == 5:
            command("APPEND", f"text:{key}", "more")
        elif kind == 6:
            command("HSET", f"hash:{key}", f"field {i % 40}", text)
        elif kind == 7:
            command("LPUSH", f"list:{key}", text, "short")
        elif kind == 8:
            command("LTRIM", f"list:{key}", "0", "15")
        elif kind == 9:
            command("ZADD", f"order:{key % 500}", str(i), f"member {key}")
        elif kind == 10:
            command("SADD", f"set:{key}", f"{i}", f"element {i % 100}")
        else:
            command("DEL", f"text:{chance.randrange(10000)}")
    return "".join(out).encode("ascii")


class RedisDriver:
    """Sends the commands over one connection, then ends the server. What it
    takes itself is not counted."""

    REPEATS = 5
    LAST = b"that-was-the-last-command"

    def __init__(self, address):
        self.address, self.commands = address, redis_commands()

    def connect(self, process):
        end = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < end and process.poll() is None:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(self.address)
                return connection
            except OSError:
                connection.close()
                time.sleep(0.01)
        raise RuntimeError("redis-server did not start")

    def __call__(self, process):
        with self.connect(process) as connection:
            # Read what comes back while sending, or both sides block.
            reader = threading.Thread(target=self.read_replies,
                                      args=(connection,), daemon=True)
            reader.start()
            for _ in range(self.REPEATS):
                connection.sendall(self.commands)
            connection.sendall(b"ECHO " + self.LAST + b"\r\n")
            reader.join(SECONDS_TO_END)
            # Only now: it would throw away what is not sent yet.
            connection.sendall(b"SHUTDOWN NOSAVE\r\n")
        return f"{self.replies:08x}"

    def read_replies(self, connection):
        self.replies, tail = 0, b""
        while not tail.endswith(self.LAST + b"\r\n"):
            got = connection.recv(1 << 18)
            if not got:
                break
            self.replies = zlib.crc32(got, self.replies)
            tail = (tail + got)[-64:]


def redis(scratch):
    """The server; it brings jemalloc with it, which stays the one below."""
    address = str(scratch / "redis.sock")
    return Workload("redis", [
        need("redis-server"), "--port", "0", "--unixsocket", address,
        "--save", "", "--appendonly", "no", "--dir", str(scratch),
        "--logfile", "/dev/null", "--daemonize", "no",
        # No background thread and no timer's work of varying amount.
        "--activerehashing", "no", "--hz", "1"],
        drive=RedisDriver(address))


MAKERS = {"sqlite3": sqlite3, "cc1plus": cc1plus, "python3": python3,
          "z3": z3, "lua": lua, "perl": perl, "redis": redis, "jq": jq}
