#!/bin/sh
# The async WebSocket clients of httpx-ws 0.9.0 and httpx2 2.16.2 hold no message for the application, whatever `queue_size` says (512 by default, "the size of the
# queue where the received messages will be held"; their sync clients do). One message that has not been received yet stops all reading: the
# server's pings get no answer, and the client's own keepalive does not see the server's pong and closes a good connection with 1011. A
# program that only sends, to a server that greets it, is cut off by one side or the other; one would expect it to live, as with websockets 17.4.
#
# Seen, by client: is a ping answered while a greeting has not been received, and is the connection there after the client's own keepalive
# (after 3 seconds, with 1 for the pong, instead of 20 and 20), or with which code it was closed:
#   {'httpx-ws': ['pong', 'open'], 'httpx-ws async': ['silence', 1011], 'httpx2': ['pong', 'open'], 'httpx2 async': ['silence', 1011],
#    'websockets': ['pong', 'open']}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
here=$(cd "$(dirname "$0")" && pwd)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q httpx-ws==0.9.0 "httpx2[ws]==2.16.2" websockets==17.4 2>/dev/null
cd "$folder"
export PYTHONPATH="$here/shared:$folder" PYTHONDONTWRITEBYTECODE=1
"$folder/venv/bin/python" - 2>/dev/null <<'PROBE'
import asyncio
import contextlib
import time

import httpx2
import httpx_ws
from servers import told
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

OWN = {"keepalive_ping_interval_seconds": 3, "keepalive_ping_timeout_seconds": 1}
seen = {}


async def server(socket):
    """Greet, ask for a pong once the client is quiet, and see if the client is there five seconds later."""
    await socket.send("hello")
    name = await socket.recv()
    pong = await socket.ping()
    done, _ = await asyncio.wait([asyncio.ensure_future(pong)], timeout=2)
    answered = "pong" if done else "silence"
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(socket.wait_closed(), 5)
    seen[name] = [answered, socket.close_code or "open"]


def send(client, name):
    with client as socket:
        time.sleep(0.5)
        socket.send_text(name)
        time.sleep(9)


async def send_async(client, name, speak="send_text"):
    with contextlib.suppress(BaseException):
        async with client as socket:
            await asyncio.sleep(0.5)
            await getattr(socket, speak)(name)
            await asyncio.sleep(9)


async def main():
    async with serve(server, "127.0.0.1", 0, ping_interval=None) as listener:
        port = listener.sockets[0].getsockname()[1]
        http, url = f"http://127.0.0.1:{port}/", f"ws://127.0.0.1:{port}/"
        await asyncio.gather(
            asyncio.to_thread(send, httpx_ws.connect_ws(http, **OWN), "httpx-ws"),
            asyncio.to_thread(send, httpx2.websocket(url, **OWN), "httpx2"),
            send_async(httpx_ws.aconnect_ws(http, **OWN), "httpx-ws async"),
            send_async(httpx2.AsyncClient().websocket(url, **OWN), "httpx2 async"),
            send_async(connect(url, ping_interval=3, ping_timeout=1), "websockets", "send"),
        )


asyncio.run(main())
gone, alive = ["silence", 1011], ["pong", "open"]
expected = {"httpx-ws": alive, "httpx-ws async": gone, "httpx2": alive, "httpx2 async": gone, "websockets": alive}
told({name: seen[name] for name in sorted(seen)}, expected)
PROBE
