# SPDX-License-Identifier: Apache-2.0
"""A debuginfod of one file, on a port of the loopback's choice.

Usage: debuginfod_server.py BUILD_ID DEBUG_FILE

Prints its port, then each path that it is asked for; ends with its stdin.
"""

import http.server
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):

    def do_GET(self):
        print(self.path, flush=True)
        build_id, path = sys.argv[1:]
        if self.path != f"/buildid/{build_id}/debuginfo":
            self.send_error(404)
            return
        with open(path, "rb") as file:
            body = file.read()
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
