# SPDX-License-Identifier: Apache-2.0
"""A web application of the standard library: JSON over HTTP by threads, with a
database behind it. Serves

  /order?n=N   stores N orders and gives their sum
  /facts       what the interpreter says of itself, with automatic collection
               switched off so that it stays true
  /resume      collection on again
  /end         ends the program

and prints its port.
"""

import collections
import gc
import http.server
import json
import sqlite3
import sys
import threading
import urllib.parse


class Order:
    def __init__(self, number, rows):
        self.number, self.rows = number, rows
        self.me = self if number % 10 == 0 else None  # a cycle now and then


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.base = sqlite3.connect(":memory:", check_same_thread=False)
        self.base.execute("create table orders (n integer, text text)")
        self.kept = [Order(i, [i]) for i in range(1, 1001)]

    def store(self, count):
        orders = [Order(i, [{"line": j} for j in range(3)])
                  for i in range(count)]
        with self.lock:
            self.base.executemany(
                "insert into orders values (?, ?)",
                [(order.number, json.dumps(order.rows)) for order in orders])
            return self.base.execute("select sum(n) from orders").fetchone()[0]


def facts():
    gc.disable()
    types = collections.Counter(type(thing).__name__
                                for thing in gc.get_objects())
    return {"stats": gc.get_stats(), "threshold": gc.get_threshold(),
            "types": types, "objects": sum(types.values()),
            "blocks": sys.getallocatedblocks(), "count": gc.get_count(),
            "version": sys.version.split()[0]}


class Handler(http.server.BaseHTTPRequestHandler):
    ledger = None

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if url.path == "/order":
            answer = {"sum": self.ledger.store(int(query["n"][0]))}
        elif url.path == "/facts":
            answer = facts()
        elif url.path == "/resume":
            gc.enable()
            answer = {}
        else:
            threading.Thread(target=self.server.shutdown).start()
            answer = {}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    Handler.ledger = Ledger()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
