#!/bin/sh
# Starlette 1.10.0 calls receive() twice at once where a StreamingResponse is made from the request's own stream (an upload passed on,
# transcoded, echoed): the body's generator reads the request, and beside it the response listens for the disconnect, and each
# gets some of the pieces. What the listener gets is gone, and the answer is a 200. It listens where the server announces
# ASGI below 2.4, as uvicorn 0.54.0, hypercorn 0.18.0 and granian 2.8.9 do; under granian the request fails besides. The
# same body, read before the response is made, is whole.
#
# Seen, whether all of six pieces come back, of the streamed echo and of one that reads first:
#   {'uvicorn': [False, True], 'hypercorn': [False, True], 'granian': [False, True]}
. "$(dirname "$0")/shared/asgi.sh"
"$folder/venv/bin/pip" install -q starlette==1.10.0 2>/dev/null
cat > app.py <<'APP'
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


async def streamed(request):
    async def pieces():
        async for piece in request.stream():
            yield piece

    return StreamingResponse(pieces())


async def whole(request):
    return Response(await request.body())


application = Starlette(routes=[Route("/", streamed, methods=["POST"]), Route("/whole", whole, methods=["POST"])])
APP
"$folder/venv/bin/python" - <<'PROBE'
import contextlib
import socket
import time

from servers import COMMANDS, serving, told

PIECES = [b"piece %d\n" % number for number in range(6)]


def echoed(port, path):
    """Post the pieces one after the other; return whether all of them are in the answer."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), 5) as link:
        link.settimeout(2)
        link.sendall(b"POST %b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" % path)
        for piece in PIECES:
            link.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            time.sleep(0.1)
        link.sendall(b"0\r\n\r\n")
        with contextlib.suppress(TimeoutError):
            while data := link.recv(65536):
                answer += data
    return answer.startswith(b"HTTP/1.1 200") and all(piece in answer for piece in PIECES)


seen = {}
for name in COMMANDS:
    with serving(name) as port:
        seen[name] = [echoed(port, path) for path in (b"/", b"/whole")]
told(seen, {name: [False, True] for name in COMMANDS})
PROBE
