# SPDX-License-Identifier: Apache-2.0
"""Programs of every kind that the shim cannot measure, built for the test.

A kind has what the gate says of it and what `doctor` does; both are part of a
sentence. A kind whose compiler is not installed is left out and told.
"""

import dataclasses
import os
import shutil
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "../e2e/programs/gate_cases.c")
OWN_MALLOC = os.path.join(HERE, "programs/own_malloc.c")
NOBODY = 65534


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    compiler: tuple
    gate: str  # in the reason that the gate gives
    doctor: str  # in the text that doctor gives
    remedy: str  # in its remedy
    source: str = CASES
    mark: str = ""  # set-uid or capabilities
    # Words before it, where root would not show what is meant.
    before: tuple = ()
    # The status that its own runtime ends it with where anything is preloaded
    # by hand; below the gate that is mended.
    refuses: int = 0


KINDS = (
    Kind("static", ("gcc", "-static"), "linked statically",
         "linked statically", "link it dynamically"),
    Kind("static_pie", ("gcc", "-static-pie"), "linked statically",
         "linked statically", "link it dynamically"),
    Kind("set_uid", ("gcc",), "privileges of its own", "gains privileges",
         "unprivileged copy", mark="set_uid"),
    Kind("capabilities", ("gcc",), "privileges of its own", "gains privileges",
         "unprivileged copy", mark="capabilities",
         before=("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY),
                 "--clear-groups")),
    Kind("musl", ("musl-gcc",), "musl", "uses musl", "glibc build"),
    Kind("musl_static", ("musl-gcc", "-static"), "linked statically",
         "linked statically", "link it dynamically"),
    Kind("bits_32", ("gcc", "-m32"), "not for x86-64",
         "not built for x86-64", "x86-64 build"),
    Kind("address_sanitizer", ("gcc", "-fsanitize=address"), "sanitizer",
         "sanitizer's runtime", "without -fsanitize", refuses=1),
    Kind("leak_sanitizer", ("gcc", "-fsanitize=leak"), "sanitizer",
         "sanitizer's runtime", "without -fsanitize"),
    Kind("thread_sanitizer", ("gcc", "-fsanitize=thread"), "sanitizer",
         "sanitizer's runtime", "without -fsanitize"),
    Kind("clang_sanitizer", ("clang-14", "-fsanitize=address"), "sanitizer",
         "sanitizer's runtime", "without -fsanitize"),
    Kind("own_malloc", ("gcc",), "own malloc", "defines malloc itself",
         "shared library", source=OWN_MALLOC),
    Kind("go", ("go",), "linked statically", "Go", "pprof"),
)

GO_SOURCE = 'package main\n\nfunc main() { println("go") }\n'


def build(kind, directory):
    """The path of a program of this kind; None where it cannot be built."""
    path = os.path.join(directory, kind.name)
    if shutil.which(kind.compiler[0]) is None:
        return None
    if kind.compiler[0] == "go":
        with open(path + ".go", "w", encoding="ascii") as file:
            file.write(GO_SOURCE)
        command = ["go", "build", "-o", path, path + ".go"]
        environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "",
                       "GOCACHE": os.path.join(directory, "go-cache"),
                       "GOPATH": os.path.join(directory, "go-path")}
    else:
        command = [*kind.compiler, "-g", "-O0", "-fno-builtin", "-w",
                   kind.source, "-o", path]
        environment = os.environ
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120, check=False)
    if done.returncode != 0:
        return None
    if kind.mark == "set_uid":
        # Of somebody else, so that it gains (or drops) even for root.
        os.chown(path, NOBODY, NOBODY)
        os.chmod(path, 0o4755)
    elif kind.mark == "capabilities":
        # Version 2: magic and "effective", then permitted and inheritable,
        # low words and high. 1024: CAP_NET_BIND_SERVICE.
        os.setxattr(path, "security.capability",
                    struct.pack("<5I", 0x02000001, 1024, 0, 0, 0))
    return path
