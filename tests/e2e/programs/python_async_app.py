# SPDX-License-Identifier: Apache-2.0
"""The same facts as python_web_app.py from a server of asyncio."""

import asyncio
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import python_web_app  # noqa: E402


async def work(count):
    async def line(i):
        await asyncio.sleep(0)
        order = python_web_app.Order(i, [{"line": i}])
        return len(json.dumps(order.rows))
    return sum(await asyncio.gather(*(line(i) for i in range(count))))


async def main():
    kept = [python_web_app.Order(i, [i]) for i in range(1, 1001)]
    ended = asyncio.Event()

    async def serve(reader, writer):
        target = (await reader.readline()).decode().split()[1]
        while (await reader.readline()).strip():
            pass
        if target.startswith("/order"):
            answer = {"sum": await work(int(target.split("n=")[1]))}
        elif target == "/facts":
            answer = python_web_app.facts()
        else:
            answer = {}
            ended.set()
        body = json.dumps(answer).encode()
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" %
                     (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()
    server.close()
    assert len(kept) == 1000


if __name__ == "__main__":
    asyncio.run(main())
