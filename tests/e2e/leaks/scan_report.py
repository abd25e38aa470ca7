# SPDX-License-Identifier: Apache-2.0
"""What heapledger_leak_report prints of a ledger's scan."""

COUNTS = ("direct_bytes", "direct_objects", "indirect_bytes",
          "indirect_objects")


def by_function(scan, functions):
    """Leaks by the first function of the stack that is in `functions`."""
    found = {}
    for leak in scan["leaks"]:
        names = [name.split("(")[0] for name in leak["stack"]]
        name = next((name for name in names if name in functions),
                    " <- ".join(names))
        sums = found.setdefault(name, [0, 0, 0, 0])
        for i, count in enumerate(COUNTS):
            sums[i] += leak[count]
    return found
