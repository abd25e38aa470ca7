# SPDX-License-Identifier: Apache-2.0
"""Chromium without a screen, driven through its DevTools protocol."""

import base64
import glob
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request

import websocket

BINARY = shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One page. Collects what the page complains of in `complaints`."""

    def __init__(self, width=1280, height=900):
        self.profile = tempfile.mkdtemp(prefix="heapledger-browser-")
        self.process = subprocess.Popen(
            [BINARY, "--headless=new", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
             "--disable-background-networking", "--remote-allow-origins=*",
             "--remote-debugging-port=0", f"--user-data-dir={self.profile}",
             f"--window-size={width},{height}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.socket = websocket.create_connection(self._page_url(),
                                                      timeout=60)
        except BaseException:
            self.close()
            raise
        self.numbers = itertools.count(1)
        self.complaints = []
        self.requests = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def _page_url(self):
        port_file = os.path.join(self.profile, "DevToolsActivePort")
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if glob.glob(port_file):
                with open(port_file) as file:
                    lines = file.read().splitlines()
                if lines and lines[0].isdigit():
                    url = f"http://127.0.0.1:{lines[0]}/json/list"
                    with urllib.request.urlopen(url, timeout=10) as answer:
                        for target in json.load(answer):
                            if target["type"] == "page":
                                return target["webSocketDebuggerUrl"]
            if self.process.poll() is not None:
                raise RuntimeError("chromium ended before it listened")
            time.sleep(0.1)
        raise RuntimeError("chromium did not listen within a minute")

    def close(self):
        self.process.kill()
        self.process.wait()
        # Its children may write for a moment longer.
        for _ in range(20):
            shutil.rmtree(self.profile, ignore_errors=True)
            if not os.path.exists(self.profile):
                return
            time.sleep(0.1)

    def _note(self, message):
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"].get("text", ""))
        elif method == "Runtime.consoleAPICalled":
            if params["type"] in ("error", "warning", "assert"):
                self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def call(self, method, **params):
        number = next(self.numbers)
        self.socket.send(json.dumps(
            {"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._note(message)

    def run(self, expression):
        """The value of a JavaScript expression; promises are awaited."""
        result = self.call("Runtime.evaluate", expression=expression,
                           awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, path):
        """Opens a page of ours and waits until it is drawn; seconds taken."""
        self.complaints.clear()
        self.requests.clear()
        start = time.monotonic()
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        while not self.run("document.documentElement?.dataset.ready === 'true'"
                           " || document.getElementById('problem')?.hidden"
                           " === false"):
            if time.monotonic() - start > 60:
                raise RuntimeError(f"{path} was not drawn within a minute")
            time.sleep(0.05)
        return time.monotonic() - start

    def press(self, key, code=0, text=None):
        extra = {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key,
                  windowsVirtualKeyCode=code, **extra)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key,
                  windowsVirtualKeyCode=code)

    def mouse(self, kind, x, y):
        button = {} if kind == "mouseMoved" else {"button": "left",
                                                  "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def click(self, x, y):
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y)
        self.mouse("mouseReleased", x, y)

    def prefer(self, scheme):
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path):
        picture = self.call("Page.captureScreenshot", format="png")
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))
