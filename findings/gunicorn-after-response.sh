#!/bin/sh
# In the ASGI worker of gunicorn 27.0.1 a receive() after the whole response has been sent waits until the client leaves. The
# specification has it give http.disconnect then, and uvicorn 0.54.0, hypercorn 0.18.0 and granian 2.8.9 do so at once. The answer
# to `Connection: close` or HTTP/1.0 stays open as long, and a client that reads to its end (nginx, as it speaks to upstreams by default) waits
# with it: the server for the client, the client for the server.
#
# Seen, whether receive() returned, and whether the connection was closed, within two seconds:
#   {'uvicorn': [True, True], 'hypercorn': [True, True], 'granian': [True, True], 'gunicorn': [False, False]}
. "$(dirname "$0")/shared/asgi.sh"
"$folder/venv/bin/pip" install -q gunicorn==27.0.1 2>/dev/null
cat > app.py <<'APP'
import asyncio
import pathlib


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
    try:
        told = (await asyncio.wait_for(receive(), 4))["type"]
    except TimeoutError:
        told = "nothing"
    pathlib.Path("told").write_text(told)
APP
"$folder/venv/bin/python" - <<'PROBE'
import contextlib
import pathlib
import socket
import time

from servers import COMMANDS, serving, told

COMMANDS["gunicorn"] = ["gunicorn", "-k", "asgi", "--asgi-lifespan", "off", "-b", "127.0.0.1:{port}"]
FILE = pathlib.Path("told")


def after_the_response(port):
    FILE.unlink(missing_ok=True)
    closed = False
    with socket.create_connection(("127.0.0.1", port), 5) as link:
        link.settimeout(2)
        link.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(TimeoutError):
            while link.recv(65536):
                pass
            closed = True
        time.sleep(0.3)
        return [FILE.exists() and FILE.read_text() == "http.disconnect", closed]


seen = {}
for name in COMMANDS:
    with serving(name) as port:
        seen[name] = after_the_response(port)
told(seen, {name: [name != "gunicorn"] * 2 for name in COMMANDS})
PROBE
