# SPDX-License-Identifier: Apache-2.0
"""Reads pprof's profile.proto byte by byte: no code in common with what writes
it, and none of the protobuf library."""

import gzip

VARINT, LENGTH_DELIMITED = 0, 2


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def fields(data):
    """(number, value) of a message: an int, or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == VARINT:
            value, at = varint(data, at)
        elif tag & 7 == LENGTH_DELIMITED:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            if len(value) != size:
                raise ValueError("a field goes beyond the message")
        else:
            raise ValueError(f"wire type {tag & 7}")
        yield tag >> 3, value


def message(data):
    """number -> list of its values."""
    result = {}
    for number, value in fields(data):
        result.setdefault(number, []).append(value)
    return result


def packed(chunks):
    values = []
    for chunk in chunks:
        at = 0
        while at < len(chunk):
            value, at = varint(chunk, at)
            values.append(value)
    return values


def one(fields_of, number, default=0):
    return fields_of.get(number, [default])[-1]


class Pprof:

    def __init__(self, path):
        with open(path, "rb") as file:
            top = message(gzip.decompress(file.read()))
        self.strings = [s.decode("utf-8") for s in top[6]]
        self.sample_types = [self._value_type(t) for t in top[1]]
        self.period_type = self._value_type(top[11][0])
        self.period = one(top, 12)
        self.time_nanos = one(top, 9)
        self.default_sample_type = self.strings[one(top, 14)]
        self.comments = [self.strings[i] for i in packed(top.get(13, []))]
        self.mappings = {}
        for data in top.get(3, []):
            m = message(data)
            self.mappings[one(m, 1)] = {
                "start": one(m, 2), "limit": one(m, 3), "offset": one(m, 4),
                "file": self.strings[one(m, 5)],
                "build_id": self.strings[one(m, 6)],
                "has": [one(m, i) for i in (7, 8, 9, 10)]}
        self.functions = {}
        for data in top.get(5, []):
            m = message(data)
            self.functions[one(m, 1)] = (
                self.strings[one(m, 2)], self.strings[one(m, 3)],
                self.strings[one(m, 4)])
        self.locations = {}
        for data in top.get(4, []):
            m = message(data)
            lines = [message(line) for line in m.get(4, [])]
            self.locations[one(m, 1)] = {
                "mapping": one(m, 2), "address": one(m, 3),
                "lines": [(self.functions[one(line, 1)][0], one(line, 2))
                          for line in lines]}
        self.samples = []
        for data in top.get(2, []):
            m = message(data)
            labels = {}
            for label in m.get(3, []):
                label = message(label)
                labels[self.strings[one(label, 1)]] = self.strings[one(label, 2)]
            self.samples.append({
                "locations": packed(m.get(1, [])),
                "values": [signed(v) for v in packed(m.get(2, []))],
                "labels": labels})

    def _value_type(self, data):
        m = message(data)
        return self.strings[one(m, 1)], self.strings[one(m, 2)]

    def totals(self):
        sums = [sum(s["values"][i] for s in self.samples) for i in range(4)]
        return {"allocations": sums[0], "allocated_bytes": sums[1],
                "live_objects": sums[2], "live_bytes": sums[3]}
