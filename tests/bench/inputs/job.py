# SPDX-License-Identifier: Apache-2.0
"""python3: JSON, dicts, lists, objects, regular expressions and sorting."""
import json
import re


class Node:
    def __init__(self, key, left=None, right=None):
        self.key, self.left, self.right = key, left, right


def insert(root, key):
    if root is None:
        return Node(key)
    at = root
    while True:
        side = "left" if key < at.key else "right"
        below = getattr(at, side)
        if below is None:
            setattr(at, side, Node(key))
            return root
        at = below


def numbers(count, seed=1):
    for _ in range(count):
        seed = seed * 1103515245 + 12345 & 0x7FFFFFFF
        yield seed >> 8


rows = [{"id": i, "name": f"name {i}", "weight": i / 7,
         "tags": [f"tag {i % k}" for k in (2, 3, 5, 7)]}
        for i in range(55000)]
for _ in range(2):
    text = json.dumps(rows)
    rows = json.loads(text)
print(len(text))

groups = {}
for row in rows:
    for tag in row["tags"]:
        groups.setdefault(tag, []).append((row["weight"], row["name"]))
print(sorted((len(group), tag) for tag, group in groups.items())[-3:])

print(sum(len(a + b) for a, b in
          re.findall(r'"(name) (\d+)"', text)))
words = re.split(r"[ ,:]+", text)
print(len(words), sorted(set(words))[1000:1003])

root = None
for key in numbers(60000):
    root = insert(root, key)
ordered = sorted(((key % 1000, str(key)) for key in numbers(250000)),
                 key=lambda pair: (pair[1], pair[0]))
print(root.key, ordered[0], ordered[-1])
print(sum(len("-".join(pair[1] for pair in ordered[i:i + 20]))
          for i in range(0, len(ordered), 20)))
