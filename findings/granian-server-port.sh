#!/bin/sh
# In granian 2.8.9 the ports of `scope["server"]` and `scope["client"]` are text, against the ASGI specification; in uvicorn 0.54.0
# and hypercorn 0.18.0 they are numbers. `scope["server"][1] == 443` is never true under granian.
#
# Seen, the types of the ports of server and client:
#   {'uvicorn': ['int', 'int'], 'hypercorn': ['int', 'int'], 'granian': ['str', 'str']}
. "$(dirname "$0")/shared/asgi.sh"
cat > app.py <<'APP'
async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    body = " ".join(type(scope[end][1]).__name__ for end in ("server", "client")).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
APP
"$folder/venv/bin/python" - <<'PROBE'
from servers import COMMANDS, pieces, serving, told

seen = {}
for name in COMMANDS:
    with serving(name) as port:
        answer = b"".join(data for _, data in pieces(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 0.5))
        seen[name] = answer.partition(b"\r\n\r\n")[2].decode().split()
told(seen, {"uvicorn": ["int", "int"], "hypercorn": ["int", "int"], "granian": ["str", "str"]})
PROBE
