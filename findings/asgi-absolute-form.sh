#!/bin/sh
# RFC 9112, 3.2.2: a server must accept a target in absolute form, `GET http://host/path`, and take the host from it.
# uvicorn 0.54.0 and hypercorn 0.18.0 put the whole target into `scope["path"]`, where no route of Django's finds it.
# granian 2.8.9 splits it, and leaves the other host in the header.
#
# Seen, path and host header of `GET http://one.example/page` with `Host: two.example`:
#   uvicorn and hypercorn: http://one.example/page two.example; granian: /page two.example
. "$(dirname "$0")/shared/asgi.sh"
cat > app.py <<'APP'
async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    body = scope["path"].encode() + b" " + dict(scope["headers"])[b"host"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
APP
"$folder/venv/bin/python" - <<'PROBE'
from servers import COMMANDS, pieces, serving, told

seen = {}
for name in COMMANDS:
    with serving(name) as port:
        request = b"GET http://one.example/page HTTP/1.1\r\nHost: two.example\r\n\r\n"
        answer = b"".join(data for _, data in pieces(port, request, 0.5))
        seen[name] = answer.partition(b"\r\n\r\n")[2].decode()
whole = "http://one.example/page two.example"
told(seen, {"uvicorn": whole, "hypercorn": whole, "granian": "/page two.example"})
PROBE
