# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus on a store of samples that lie in the past."""

import json
import os
import re
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

STEP = 15  # seconds between scrapes, and between evaluations
# Blocks are of two hours and begin at a multiple of them.
BLOCK = 7200


def promtool(*arguments):
    done = subprocess.run(["promtool", *arguments], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"promtool {' '.join(arguments[:3])}: "
                           f"{(done.stderr or done.stdout).strip()}")


class Store:
    """Samples of many processes, told apart by the label pid. All begin at the
    same moment, `begin`."""

    def __init__(self, folder):
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.begin = (int(time.time()) // BLOCK - 24) * BLOCK
        os.makedirs(self.data)

    def load(self, families):
        """`families`: metric -> pid -> [(second, value)], in their order."""
        with tempfile.NamedTemporaryFile("w", dir=self.folder,
                                         suffix=".om") as file:
            for metric, processes in families.items():
                file.write(f"# TYPE {metric} gauge\n")
                for pid, samples in processes.items():
                    labels = (f'{metric}{{instance="host",job="heapledger",'
                              f'process="traced",pid="{pid}"}}')
                    file.writelines(
                        f"{labels} {value} {self.begin + second}\n"
                        for second, value in samples)
            file.write("# EOF\n")
            file.flush()
            promtool("tsdb", "create-blocks-from", "openmetrics", "--quiet",
                     file.name, self.data)


class Server:
    """Prometheus on loopback, with `rule_files` that it does not evaluate."""

    def __init__(self, folder, data, rule_files=()):
        self.config = os.path.join(folder, "prometheus.yml")
        with open(self.config, "w") as file:
            json.dump({"global": {"evaluation_interval": "1d"},
                       "rule_files": [os.path.abspath(f) for f in rule_files]},
                      file)
        self.log = os.path.join(folder, "prometheus.log")
        self.data = data

    def __enter__(self):
        # It takes no port 0 that one could learn afterwards.
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.config}",
                 f"--storage.tsdb.path={self.data}",
                 "--storage.tsdb.retention.time=10y",
                 "--storage.tsdb.min-block-duration=2h",
                 "--storage.tsdb.max-block-duration=2h",
                 "--query.timeout=30m",
                 "--query.max-samples=200000000",
                 f"--web.listen-address=127.0.0.1:{free_port()}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait()

    def _wait(self):
        for _ in range(600):
            with open(self.log) as file:
                text = file.read()
            if self.process.poll() is not None:
                raise RuntimeError(f"prometheus ended: {text[-500:]}")
            found = re.search(r"address=(127\.0\.0\.1:\d+)", text)
            if found and "Server is ready" in text:
                self.url = f"http://{found.group(1)}"
                return
            time.sleep(0.1)
        raise RuntimeError("prometheus did not start within a minute")

    def get(self, path, **parameters):
        body = urllib.parse.urlencode(parameters).encode() or None
        with urllib.request.urlopen(self.url + path, body,
                                    timeout=1800) as answer:
            return json.load(answer)["data"]

    def moments(self, expression, begin, length):
        """pid -> the seconds since `begin`, one in STEP, at which the
        expression has a value."""
        data = self.get("/api/v1/query_range", query=expression, start=begin,
                        end=begin + length, step=STEP)
        moments = {}
        for series in data["result"]:
            seconds = {round(at - begin) for at, _ in series["values"]}
            moments.setdefault(series["metric"].get("pid"), set()).update(
                seconds)
        return {pid: sorted(seconds) for pid, seconds in moments.items()}


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
