#!/bin/sh
# A client closes its WebSocket with code 4001 and the reason "bye". ASGI has room for both in websocket.disconnect, and only
# uvicorn 0.54.0 fills it: granian 2.8.9 and gunicorn 27.0.1 tell the code alone, hypercorn 0.18.0 says 1006 (no Close frame came)
# of every close.
#
# Seen: {'uvicorn': (4001, 'bye'), 'hypercorn': (1006, None), 'granian': (4001, None), 'gunicorn': (4001, None)}
. "$(dirname "$0")/shared/asgi.sh"
"$folder/venv/bin/pip" install -q gunicorn==27.0.1 websockets==17.4 2>/dev/null
cat > app.py <<'APP'
import json
import pathlib


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError(scope["type"])
    await receive()
    await send({"type": "websocket.accept"})
    message = await receive()
    pathlib.Path("told").write_text(json.dumps([message["code"], message.get("reason")]))
APP
"$folder/venv/bin/python" - <<'PROBE'
import json
import pathlib
import time

from servers import COMMANDS, serving, told
from websockets.sync.client import connect

COMMANDS["gunicorn"] = ["gunicorn", "-k", "asgi", "--asgi-lifespan", "off", "-b", "127.0.0.1:{port}"]


def told_to_the_application(port):
    file = pathlib.Path("told")
    file.unlink(missing_ok=True)
    with connect(f"ws://127.0.0.1:{port}/") as client:
        client.close(4001, "bye")
    for _ in range(100):
        if file.exists() and file.read_text():
            return tuple(json.loads(file.read_text()))
        time.sleep(0.1)


seen = {}
for name in COMMANDS:
    with serving(name) as port:
        seen[name] = told_to_the_application(port)
expected = {"uvicorn": (4001, "bye"), "hypercorn": (1006, None), "granian": (4001, None), "gunicorn": (4001, None)}
told(seen, expected)
PROBE
