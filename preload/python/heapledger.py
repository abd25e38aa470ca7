# SPDX-License-Identifier: Apache-2.0
"""Whose memory it is: puts what a block of Python allocates under a tag.

    import heapledger

    acme = heapledger.Tag("tenant", tenant="acme")      # once
    with acme.scope():
        serve()

Without heapledger's shim in the process nothing is done. A scope is its
thread's: do not await inside of one, as other tasks would run in it; enter it
anew after each suspension. Objects of up to 512 bytes lie in arenas that
CPython allocates as a whole, under whichever tag first needs one; with
PYTHONMALLOC=malloc every object is a block of its own.
"""

import contextlib

import _heapledger


class Tag:
    """A name with up to four labels, as keywords."""

    __slots__ = ("id",)

    def __init__(self, name, **labels):
        if len(labels) > 4:
            raise ValueError("a tag has at most four labels")
        words = [str(word) for label in labels.items() for word in label]
        self.id = _heapledger.tag(name, *words)

    @contextlib.contextmanager
    def scope(self):
        """What this thread allocates inside is this tag's."""
        scope = _heapledger.push(self.id)
        try:
            yield self
        finally:
            _heapledger.pop(scope)

    @contextlib.contextmanager
    def adopted(self):
        """The same for work on behalf of a scope or thing counted elsewhere."""
        scope = _heapledger.adopt(self.id)
        try:
            yield self
        finally:
            _heapledger.pop(scope)

    def begin(self):
        """Counts a thing with this tag that lives until end()."""
        _heapledger.begin(self.id)

    def end(self):
        _heapledger.end(self.id)


def current():
    """The tag of the calling thread's innermost scope, to be adopted."""
    tag = Tag.__new__(Tag)
    tag.id = _heapledger.current()
    return tag
