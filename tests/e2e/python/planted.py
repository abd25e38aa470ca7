# SPDX-License-Identifier: Apache-2.0
"""Leaks of four kinds; prints what each line that is marked holds at the end.

Output: lines "mark bytes objects", by Python's own account of its objects.
"""

import ctypes
import gc
import os
import sys

HELD = []
HELD.extend([None] * 100)
COUNT = 100


class Cache:
    def __init__(self):
        self.values = dict.fromkeys(range(COUNT))

    def put(self, key):
        value = bytearray(1000)  # mark: cache
        self.values[key] = value


class Node:
    __slots__ = ("me", "data")

    def __init__(self):
        self.me = self
        self.data = bytes(5000)  # mark: cycle

    def __del__(self):
        pass


def fill_list():
    for i in range(COUNT):
        HELD[i] = bytes(2000)  # mark: list


def fill_cache(cache):
    for i in range(COUNT):
        cache.put(i)


def leave_cycles():
    for _ in range(COUNT):
        Node()  # mark: node


def allocate_natively(malloc):
    for _ in range(COUNT):
        malloc(7777)  # mark: native


def main():
    gc.disable()
    cache = Cache()
    malloc = ctypes.CDLL(None).malloc
    malloc.argtypes = [ctypes.c_size_t]
    malloc.restype = ctypes.c_void_p
    malloc(1)  # what ctypes itself keeps
    first = Node()  # and the interpreter, of a function that was called once
    first.me = None
    del first
    fill_list()
    fill_cache(cache)
    leave_cycles()
    allocate_natively(malloc)
    nodes = [held for held in gc.get_objects() if isinstance(held, Node)]
    print("list", sum(map(sys.getsizeof, HELD)), COUNT)
    # The object, and its bytes.
    print("cache", sum(map(sys.getsizeof, cache.values.values())), 2 * COUNT)
    print("cycle", sum(sys.getsizeof(node.data) for node in nodes), COUNT)
    # With the collector's head, which getsizeof counts.
    print("node", sum(map(sys.getsizeof, nodes)), COUNT)
    print("native", 7777 * COUNT, COUNT)
    sys.stdout.flush()
    os._exit(0)


main()
