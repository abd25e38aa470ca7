# SPDX-License-Identifier: Apache-2.0
"""Memory cgroups for tests that need a real limit, of v1 or v2."""

import os
import time


def own_directories():
    """[(version, directory)] of the hierarchies with memory that we are in."""
    found = []
    with open("/proc/self/cgroup") as file:
        for line in file:
            hierarchy, controllers, path = line.rstrip("\n").split(":", 2)
            if "memory" in controllers.split(","):
                found.append((1, "/sys/fs/cgroup/memory" + path))
            elif hierarchy == "0":
                for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
                    found.append((2, mount + path))
    return [(version, path) for version, path in found if os.path.isdir(path)]


class MemoryCgroup:
    """A group of a test's own, below ours; removed at the test's end. Skips the
    test where none can be made."""

    def __init__(self, test, limit_bytes, name="test"):
        for version, parent in own_directories():
            path = os.path.join(parent, f"heapledger-{name}-{os.getpid()}")
            try:
                os.mkdir(path)
            except OSError:
                continue
            limit = ("memory.limit_in_bytes" if version == 1
                     else "memory.max")
            if not os.path.exists(os.path.join(path, limit)):
                os.rmdir(path)  # the controller is not given to it
                continue
            self.path, self.version = path, version
            test.addCleanup(self.remove)
            self.write(limit, limit_bytes)
            # Swap would only make the end come later.
            for name, value in (("memory.swappiness", 0),
                                ("memory.swap.max", 0)):
                try:
                    self.write(name, value)
                except OSError:
                    pass
            return
        test.skipTest("no memory cgroup can be made here")

    @property
    def name(self):
        return os.path.basename(self.path)

    def write(self, name, value):
        with open(os.path.join(self.path, name), "w") as file:
            file.write(str(value))

    def enter(self):
        """For the process that calls it."""
        self.write("cgroup.procs", os.getpid())

    def pids(self):
        with open(os.path.join(self.path, "cgroup.procs")) as file:
            return [int(line) for line in file]

    def remove(self):
        for _ in range(100):
            try:
                return os.rmdir(self.path)
            except OSError:
                time.sleep(0.1)
