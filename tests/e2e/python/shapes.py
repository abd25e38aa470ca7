# SPDX-License-Identifier: Apache-2.0
"""Allocations at the end of call chains of every kind.

Usage: shapes.py KIND. Output: lines "chain bytes objects", where a chain is
the names of the functions that were running, innermost first, with commas.
"""

import asyncio
import gc
import os
import signal
import sys
import threading

HELD = []


def hold(size):
    return bytes(size)


def say(chain, blocks):
    HELD.append(blocks)
    print(",".join(chain), sum(map(sys.getsizeof, blocks)), len(blocks))


def plain():
    def middle(size):
        return hold(size)

    say(["hold", "middle", "plain", "<module>"],
        [middle(3000), middle(3000)])


class Maker:
    def __init__(self, size):
        self.block = hold(size)

    @property
    def made(self):
        return hold(3001)

    def __add__(self, size):
        return hold(size)

    def __getattr__(self, name):
        return hold(3002)


def through_c():
    """Calls that come back to Python through the interpreter's C code."""
    say(["hold", "<lambda>", "through_c", "<module>"],
        list(map(lambda size: hold(size), [3100, 3101])))
    say(["hold", "__init__", "through_c", "<module>"], [Maker(3102).block])
    maker = Maker(10)
    say(["hold", "made", "through_c", "<module>"], [maker.made])
    say(["hold", "__add__", "through_c", "<module>"], [maker + 3103])
    say(["hold", "__getattr__", "through_c", "<module>"], [maker.missing])
    keys = []

    def key(value):
        keys.append(hold(3104))
        return value

    sorted([3, 1, 2], key=key)
    say(["hold", "key", "through_c", "<module>"], keys)


def numbers(count):
    for _ in range(count):
        yield hold(3200)


def generators():
    say(["hold", "numbers", "generators", "<module>"],
        [block for block in numbers(3)] if sys.version_info >= (3, 12) else
        list_of(numbers(0)))
    made = numbers(2)
    first = next(made)
    say(["hold", "numbers", "generators", "<module>"], [first, next(made)])


def list_of(blocks):
    return list(blocks)


async def inner(size):
    await asyncio.sleep(0)
    return hold(size)


async def outer():
    return await inner(3300)


async def tasks():
    return await asyncio.gather(outer(), outer())


def coroutines():
    blocks = asyncio.run(tasks())
    HELD.append(blocks)
    # What runs a task lies outside.
    print("hold,inner,outer,*", sum(map(sys.getsizeof, blocks)), len(blocks))


def fail():
    raise ValueError(hold(3400))


def exceptions():
    caught = []
    for _ in range(3):
        try:
            fail()
        except ValueError as error:
            caught.append(error.args[0])
    say(["hold", "fail", "exceptions", "<module>"], caught)


def down(depth, size):
    return hold(size) if depth == 0 else down(depth - 1, size)


def recursion():
    sys.setrecursionlimit(5000)
    blocks = [down(1000, 3500), down(1000, 3500)]
    HELD.append(blocks)
    print("hold,down,down,down,*", sum(map(sys.getsizeof, blocks)), 2)
    say(["hold", "down", "down", "down", "recursion", "<module>"],
        [down(2, 3501)])


def exec_again():
    """Code that is freed and made anew, at the addresses of the old."""
    for i in range(200):
        names = {"hold": hold}
        name = "made_%03d" % i
        exec(compile("def %s():\n%s    return hold(3600)\n" %
                     (name, "\n" * (i % 7)), "made_%03d.py" % (i % 50), "exec"),
             names)
        say(["hold", name, "exec_again", "<module>"], [names[name]()])
        del names
        gc.collect()


def work(blocks):
    for _ in range(50):
        blocks.append(hold(3700))


def threads():
    blocks = []
    running = [threading.Thread(target=work, args=(blocks,)) for _ in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    HELD.append(blocks)
    print("hold,work,run,*", sum(map(sys.getsizeof, blocks)), len(blocks))


def handler(number, frame):
    HELD.append(hold(3800))


def signals():
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    scratch = []
    while len(HELD) < 40:
        scratch.append([bytes(100) for _ in range(20)])
        if len(scratch) > 100:
            scratch.clear()
    signal.setitimer(signal.ITIMER_REAL, 0)
    print("hold,handler,*", sum(map(sys.getsizeof, HELD)), len(HELD))


def forks():
    say(["hold", "forks", "<module>"], [hold(3900)])
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        say(["hold", "forks", "<module>"], [hold(3901), hold(3901)])
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)


class Dying:
    def __del__(self):
        HELD.append(hold(4000))


def destructors():
    for _ in range(5):
        Dying()
    print("hold,__del__,destructors,<module>",
          sum(map(sys.getsizeof, HELD)), len(HELD))


def interpreters():
    try:
        import _xxsubinterpreters as module
    except ImportError:
        import _interpreters as module
    for _ in range(3):
        made = module.create()
        module.run_string(made, "keep = [bytes(4100) for _ in range(10)]")
        module.destroy(made)
    say(["hold", "interpreters", "<module>"], [hold(4101)])


globals()[sys.argv[1]]()
sys.stdout.flush()
os._exit(0)
