#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The symbolizer against addr2line, llvm-symbolizer and heaptrack_interpret:
how much is identical, what the differences are, and how long each takes.

Usage: symbolizer.py --build BUILD [--addresses N] MODULE...

Addresses are drawn from the functions of .symtab (the separate debug file's
where the module has none), each function as often as it is long. Names are
compared without template arguments' spelling of their own: see normal().
"""

import argparse
import collections
import glob
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

INTERPRET = "/usr/lib/heaptrack/libexec/heaptrack_interpret"
ENV = {k: v for k, v in os.environ.items() if k != "DEBUGINFOD_URLS"}


def run(command, text=""):
    start = time.monotonic()
    done = subprocess.run(command, input=text, env=ENV, text=True,
                          errors="replace", stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    return done.stdout, time.monotonic() - start, done.stderr


def debug_file(module):
    notes = run(["readelf", "-n", module])[0]
    found = re.search(r"Build ID: ([0-9a-f]+)", notes)
    if found:
        name = found.group(1)
        path = f"/usr/lib/debug/.build-id/{name[:2]}/{name[2:]}.debug"
        if os.path.exists(path):
            return path
    return module


def draw(module, count):
    functions = []
    for line in run(["nm", "-S", "--defined-only",
                     debug_file(module)])[0].splitlines():
        fields = line.split()
        if len(fields) >= 4 and fields[2] in "tTwWi":
            functions.append((int(fields[0], 16), int(fields[1], 16)))
    rng = random.Random(1)
    weights = [size for _, size in functions]
    picked = rng.choices(functions, weights, k=count)
    return sorted({start + rng.randrange(size) for start, size in picked})


def blocks(text):
    result, block = [], []
    for line in text.splitlines():
        if line:
            block.append(line)
        elif block:
            result.append(block)
            block = []
    return result


def ours(tool, module, addresses, cache):
    text, _, err = run([tool, module, cache],
                       "".join(f"{a:x}\n" for a in addresses))
    frames = [[tuple(line.split("\t")) for line in block]
              for block in blocks(text)]
    return ([[(name, path, int(line)) for name, path, line in block]
             for block in frames], float(err.split()[-1]))


def place(text):
    text = re.sub(r" \(discriminator.*", "", text)
    path, _, line = text.rpartition(":")
    return ("" if path == "??" else path, int(line) if line.isdigit() else 0)


def addr2line(module, addresses):
    text, took, _ = run(["addr2line", "-afiC", "-e", module],
                        "".join(f"{a:x}\n" for a in addresses))
    result, lines = [], text.splitlines()
    i = 0
    while i < len(lines):
        if re.fullmatch(r"0x[0-9a-f]{16}", lines[i]):
            result.append([])
            i += 1
        else:
            result[-1].append((lines[i], *place(lines[i + 1])))
            i += 2
    return result, took


def llvm_symbolizer(module, addresses):
    tool = shutil.which("llvm-symbolizer") or shutil.which(
        "llvm-symbolizer-14")
    if tool is None:
        return None, 0
    text, took, _ = run([tool, "--obj=" + module],
                        "".join(f"0x{a:x}\n" for a in addresses))
    return [[(block[i], *place(block[i + 1].rpartition(":")[0]))
             for i in range(0, len(block) - 1, 2)]
            for block in blocks(text)], took


def heaptrack_interpret(module, addresses):
    """Feeds it a recording with one allocation per address."""
    if not os.path.exists(INTERPRET):
        return None, 0
    base = 0x7f0000000000
    text = ["v 10500 3", "x %x %s" % (len(module), module),
            "m %x %s %x 0 7fffffff" % (len(module), module, base)]
    for i, address in enumerate(addresses):
        text.append(f"t {base + address:x} 0")
    out, took, _ = run([INTERPRET], "\n".join(text) + "\n")
    strings, traces = [""], []
    for line in out.splitlines():
        if line.startswith("s "):
            fields = line.split(" ", 2)
            strings.append(fields[2] if len(fields) > 2 else fields[1])
        elif line.startswith("i "):
            traces.append([int(x, 16) for x in line.split()[1:]])
    if len(traces) != len(addresses):
        return None, took
    result = []
    for fields in traces:
        rest = fields[2:]
        frames = []
        for i in range(0, len(rest), 3):
            part = rest[i:i + 3] + [0, 0]
            frames.append((strings[part[0]], strings[part[1]], part[2]))
        result.append(frames)
    return result, took


def normal(name):
    """A name as all tools spell it: without the suffix of a copy, without
    parameters, scopes and template arguments, which DWARF alone does not have
    for functions that have no linkage name."""
    name = re.sub(r" \[clone .*| ?\(\.(cold|part|isra|constprop|llvm).*\)$",
                  "", name)
    name = re.sub(r"@.*", "", name)
    name = re.sub(r"\.(cold|part|isra|constprop|lto_priv|llvm)(\.\d+)*", "",
                  name)
    name = name.replace("(anonymous namespace)", "_anonymous_")
    if "operator" in name:
        return "operator"
    # A return type: "decltype (::new …)" here, "decltype(new …)" there.
    if name.startswith("decltype"):
        at = depth = 0
        for at, c in enumerate(name):
            depth += (c == "(") - (c == ")")
            if c == ")" and depth == 0:
                break
        name = name[at + 1:]
    # A class in a function: "f(int)::Class::g()" goes on behind the bracket.
    previous = None
    while previous != name:
        previous = name
        name = re.sub(r"\([^()]*\)(?: const)?(?=::)", "", name)
    depth, bare = 0, ""
    for c in name:
        if c == "<":
            depth += 1
        if depth == 0:
            if c == "(":
                break
            bare = "" if c in ": " else bare + c
        if c == ">":
            depth -= 1
    return bare


def same_path(a, b):
    return os.path.normpath(a or "?") == os.path.normpath(b or "?")


# What another tool does differently for a reason that is known.
EXPLAINED = {
    "symbol for an inlined function there":
        "it calls an inlined function without linkage name by the symbol "
        "around it",
    "not demangled there": "its demangler gave up",
    "lambda spelled differently":
        "\"{lambda(int)#1}\", \"'lambda'(int)\" and \"~<lambda>\" are one",
    "first file of the line table there":
        "binutils 2.40 takes file 1 of DWARF 5 for file 0; llvm-symbolizer "
        "agrees with ours",
    "no name there": "it knows no symbol where ours does",
    "directory written differently there":
        "same last part: it leaves the directory of the compiler out",
}


def other_name(mine, theirs, aliases):
    """The kind of disagreement about one function's name."""
    if normal(mine[0]) == normal(theirs[0]):
        return None
    both = [aliases.get(re.sub(r"@.*", "", name), set())
            for name in (mine[0], theirs[0])]
    if both[0] & both[1]:
        return None  # two names of one address
    if theirs[0].startswith(("_Z", "_R")):
        return "not demangled there"
    if "lambda" in mine[0] and "lambda" in theirs[0]:
        return "lambda spelled differently"
    return "other name"


def kind_of_difference(mine, theirs, aliases, referee):
    """None where they agree, else what kind of disagreement it is."""
    if not theirs or theirs[-1][0] in ("??", ""):
        named = not mine[-1][0].split("/")[-1].count("+0x")
        return "no name there" if named else None
    if len(mine) != len(theirs):
        return "other number of inlined functions"
    for i, (a, b) in enumerate(zip(mine, theirs)):
        kind = other_name(a, b, aliases)
        if kind == "other name" and i + 1 < len(mine) and (
                normal(b[0]) == normal(mine[-1][0])):
            kind = "symbol for an inlined function there"
        if kind:
            return kind
        if b[2] and a[2] != b[2]:
            return "other line"
        if b[2] and not same_path(a[1], b[1]):
            if referee and len(referee) == len(mine) and same_path(
                    a[1], referee[i][1]) and a[2] == referee[i][2]:
                return "first file of the line table there"
            if os.path.basename(a[1]) == os.path.basename(b[1]):
                return "directory written differently there"
            return "other file"
    return None


def aliases_of(module):
    table = collections.defaultdict(set)
    files = {debug_file(module), module}
    for file, option in [(f, o) for f in files for o in ([], ["-D"])]:
        for line in run(["nm", "-C", *option, "--defined-only",
                         file])[0].splitlines():
            fields = line.split(" ", 2)
            if len(fields) == 3:
                table[re.sub(r"@.*", "", fields[2])].add(fields[0])
    return table


def compare(label, mine, theirs, took, addresses, aliases, referee, show):
    if theirs is None:
        print(f"  {label:20} not there, or not understood")
        return
    kinds = collections.Counter()
    for i, (address, a, b) in enumerate(zip(addresses, mine, theirs)):
        kind = kind_of_difference(a, b, aliases,
                                  referee[i] if referee else None)
        kinds[kind] += 1
        if kind and kinds[kind] <= show:
            print(f"    {kind} at {address:x}\n      ours   {a}\n"
                  f"      theirs {b}")
    total = max(sum(kinds.values()), 1)
    same = kinds.pop(None, 0)
    explained = sum(n for kind, n in kinds.items() if kind in EXPLAINED)
    rest = ", ".join(f"{kind}: {n}" for kind, n in kinds.most_common())
    print(f"  {label:20} {took:6.2f} s  identical {100 * same / total:6.2f} %, "
          f"with the explained {100 * (same + explained) / total:6.2f} %   "
          f"{rest}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--addresses", type=int, default=5000)
    parser.add_argument("--show", type=int, default=0,
                        help="differences of each kind to print")
    parser.add_argument("modules", nargs="+")
    arguments = parser.parse_args()
    found = glob.glob(os.path.join(arguments.build, "**", "bench_symbolize"),
                      recursive=True)
    if not found:
        sys.exit("symbolizer.py: build bench_symbolize first")
    for module in arguments.modules:
        module = os.path.realpath(module)
        addresses = draw(module, arguments.addresses)
        with tempfile.TemporaryDirectory() as cache:
            mine, cold = ours(found[0], module, addresses, cache + "/c")
            again, warm = ours(found[0], module, addresses, cache + "/c")
        assert mine == again, "the cache tells another story"
        assert len(mine) == len(addresses)
        size = os.path.getsize(debug_file(module)) / 1e6
        lines = sum(1 for frames in mine if frames[-1][2])
        print(f"{module}: {size:.0f} MB, {len(addresses)} addresses, "
              f"{100 * lines / len(addresses):.1f} % with lines; ours cold "
              f"{cold:.2f} s, warm {warm:.3f} s")
        aliases = aliases_of(module)
        llvm = llvm_symbolizer(module, addresses)
        for label, (theirs, took), referee in (
                ("addr2line -afiC", addr2line(module, addresses), llvm[0]),
                ("llvm-symbolizer", llvm, None),
                ("heaptrack_interpret",
                 heaptrack_interpret(module, addresses), None)):
            compare(label, mine, theirs, took, addresses, aliases, referee,
                    arguments.show)


if __name__ == "__main__":
    main()
