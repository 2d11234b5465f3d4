#!/bin/sh
# What a browser learns of a WebSocket application that raises an exception depends on the server. granian 2.8.9 says what a good
# end is: a Close frame without a code (1005, which clients take for a clean close), and 403 Forbidden when the handshake was not
# accepted yet, as if the application had refused it. uvicorn 0.54.0 cuts the connection without a Close frame (1006),
# hypercorn 0.18.0 and gunicorn 27.0.1 say 1011. So a client that reconnects only after an error does not reconnect to granian.
#
# Seen, (code, whether the client takes it for clean) after accept, and the status before it:
#   {'uvicorn': (1006, False, 500), 'hypercorn': (1011, False, 500), 'granian': (1005, True, 403), 'gunicorn': (1011, False, 500)}
. "$(dirname "$0")/shared/asgi.sh"
"$folder/venv/bin/pip" install -q gunicorn==27.0.1 websockets==17.4 2>/dev/null
cat > app.py <<'APP'
async def application(scope, receive, send):
    if scope["type"] == "websocket" and scope["path"] == "/accepted":
        await receive()
        await send({"type": "websocket.accept"})
    raise ValueError("a fault of the application")
APP
"$folder/venv/bin/python" - <<'PROBE'
from servers import COMMANDS, serving, told
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import connect

COMMANDS["gunicorn"] = ["gunicorn", "-k", "asgi", "--asgi-lifespan", "off", "-b", "127.0.0.1:{port}"]


def ends(port):
    with connect(f"ws://127.0.0.1:{port}/accepted") as client:
        try:
            client.recv(10)
        except ConnectionClosed as error:
            clean = isinstance(error, ConnectionClosedOK)
        code = int(client.close_code)
    try:
        with connect(f"ws://127.0.0.1:{port}/refused"):
            pass
    except InvalidStatus as error:
        return code, clean, error.response.status_code


seen = {}
for name in COMMANDS:
    with serving(name) as port:
        seen[name] = ends(port)
told(
    seen,
    {
        "uvicorn": (1006, False, 500),
        "hypercorn": (1011, False, 500),
        "granian": (1005, True, 403),
        "gunicorn": (1011, False, 500),
    },
)
PROBE
