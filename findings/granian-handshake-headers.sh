#!/bin/sh
# Headers of WebSocket handshakes under granian 2.8.9: those that the application gives to websocket.accept (a cookie, say) never
# reach the client, and a refusal of the application (websocket.http.response, here 401) carries those of an upgrade that does not
# take place: Connection, Upgrade and Sec-WebSocket-Accept. uvicorn 0.54.0 and hypercorn 0.18.0 send the first and not the others.
#
# Seen, (the cookie of the accepted handshake, the status of the refused one, whether that one speaks of an upgrade):
#   {'uvicorn': ('a=1', 401, False), 'hypercorn': ('a=1', 401, False), 'granian': (None, 401, True)}
. "$(dirname "$0")/shared/asgi.sh"
"$folder/venv/bin/pip" install -q websockets==17.4 2>/dev/null
cat > app.py <<'APP'
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError(scope["type"])
    await receive()
    if scope["path"] == "/refused":
        await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"who are you?"})
        return
    await send({"type": "websocket.accept", "headers": [(b"set-cookie", b"a=1")]})
    await receive()
APP
"$folder/venv/bin/python" - <<'PROBE'
from servers import COMMANDS, serving, told
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect


def handshakes(port):
    with connect(f"ws://127.0.0.1:{port}/") as client:
        cookie = client.response.headers.get("set-cookie")
    try:
        with connect(f"ws://127.0.0.1:{port}/refused"):
            pass
    except InvalidStatus as error:
        answer = error.response
    return cookie, answer.status_code, "upgrade" in answer.headers and "sec-websocket-accept" in answer.headers


seen = {}
for name in COMMANDS:
    with serving(name) as port:
        seen[name] = handshakes(port)
told(seen, {name: (None, 401, True) if name == "granian" else ("a=1", 401, False) for name in COMMANDS})
PROBE
