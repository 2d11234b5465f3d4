#!/bin/sh
# granian 2.8.9 looks at the content type of a response: with `text/event-stream` it sends the head at once, with any other
# type only together with the first `http.response.body`. uvicorn 0.54.0 and hypercorn 0.18.0 send it at once. A client of
# a stream in another type (lines of JSON) that waits for the head waits for the first line as well under granian.
#
# Seen, the seconds until the head comes, where the body comes after 1.5 s, rounded down, of text/event-stream and
# of application/x-ndjson:
#   {'uvicorn': [0, 0], 'hypercorn': [0, 0], 'granian': [0, 1]}
. "$(dirname "$0")/shared/asgi.sh"
cat > app.py <<'APP'
import asyncio

async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    kind = scope["query_string"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await asyncio.sleep(1.5)
    await send({"type": "http.response.body", "body": b"{}\n\n", "more_body": True})
    await send({"type": "http.response.body", "body": b""})
APP
"$folder/venv/bin/python" - <<'PROBE'
from servers import COMMANDS, pieces, serving, told


def seconds(port, kind):
    request = b"GET /?%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % kind
    return int(pieces(port, request)[0][0])


seen = {}
for name in COMMANDS:
    with serving(name) as port:
        seen[name] = [seconds(port, kind) for kind in (b"text/event-stream", b"application/x-ndjson")]
told(seen, {"uvicorn": [0, 0], "hypercorn": [0, 0], "granian": [0, 1]})
PROBE
