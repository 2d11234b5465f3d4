#!/bin/sh
# The ASGI worker of gunicorn 27.0.1 cancels the application three seconds after its client has left, whatever it does then:
# saving what a POST brought, or what a WebSocket's disconnect calls for. uvicorn 0.54.0, hypercorn 0.18.0 and granian 2.8.9 give
# http.disconnect or websocket.disconnect to who asks, and let the application end by itself.
# (`--asgi-disconnect-grace-period` sets the seconds.)
#
# Seen, how a run of six seconds ended whose client left after one (a POST, an answer begun, a WebSocket):
#   {'uvicorn': ['finished', 'finished', 'finished'], 'hypercorn': [the same], 'granian': [the same],
#    'gunicorn': ['CancelledError', 'CancelledError', 'CancelledError']}
. "$(dirname "$0")/shared/asgi.sh"
"$folder/venv/bin/pip" install -q gunicorn==27.0.1 websockets==17.4 2>/dev/null
cat > app.py <<'APP'
import asyncio
import pathlib

BEGIN = [
    {"type": "http.response.start", "status": 200, "headers": []},
    {"type": "http.response.body", "body": b"begun", "more_body": True},
]


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError(scope["type"])
    ended = pathlib.Path(scope["path"][1:])
    await receive()
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    for message in BEGIN if scope["path"] == "/begun" else []:
        await send(message)
    try:
        await asyncio.sleep(6)
    except BaseException as error:
        ended.write_text(type(error).__name__)
        raise
    ended.write_text("finished")
APP
"$folder/venv/bin/python" - <<'PROBE'
import pathlib
import socket
import time

from servers import COMMANDS, serving, told

COMMANDS["gunicorn"] = ["gunicorn", "-k", "asgi", "--asgi-lifespan", "off", "-b", "127.0.0.1:{port}"]
HOST = "HTTP/1.1\r\nHost: localhost\r\n"
UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
REQUESTS = {
    "post": f"POST /post {HOST}Content-Length: 3\r\n\r\nabc",
    "begun": f"GET /begun {HOST}\r\n",
    "socket": f"GET /socket {HOST}{UPGRADE}\r\n",
}


def ends(port):
    for request in REQUESTS.values():
        with socket.create_connection(("127.0.0.1", port), 5) as link:
            link.sendall(request.encode())
            time.sleep(1)
    time.sleep(7)
    found = [pathlib.Path(name) for name in REQUESTS]
    ended = [path.read_text() if path.exists() else "nothing" for path in found]
    for path in found:
        path.unlink(missing_ok=True)
    return ended


seen = {}
for name in COMMANDS:
    with serving(name) as port:
        seen[name] = ends(port)
told(seen, {name: ["CancelledError" if name == "gunicorn" else "finished"] * 3 for name in COMMANDS})
PROBE
