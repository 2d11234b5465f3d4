#!/bin/sh
# A WebSocket whose client is there no more (its network is lost: the connection stays, and nobody answers) is noticed by one server
# of four: uvicorn 0.54.0 asks after 20 s (Ping) and closes after 40. hypercorn 0.18.0, granian 2.8.9 and gunicorn 27.0.1 send no
# Ping unless they are told to, so the application believes in such clients for as long as it has nothing to send.
#
# Seen, what a client got in 45 s that answers nothing (opcodes of frames), and whether its application was told of its end:
#   {'uvicorn': (['ping', 'close'], True), 'hypercorn': ([], False), 'granian': ([], False), 'gunicorn': ([], False)}
. "$(dirname "$0")/shared/asgi.sh"
"$folder/venv/bin/pip" install -q gunicorn==27.0.1 websockets==17.4 2>/dev/null
cat > app.py <<'APP'
import pathlib


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError(scope["type"])
    await receive()
    await send({"type": "websocket.accept"})
    pathlib.Path(f"ended-{scope['path'][1:]}").write_text((await receive())["type"])
APP
"$folder/venv/bin/python" - <<'PROBE'
import pathlib
import socket
import threading
import time

from servers import COMMANDS, serving, told

COMMANDS["gunicorn"] = ["gunicorn", "-k", "asgi", "--asgi-lifespan", "off", "-b", "127.0.0.1:{port}"]
OPENING = (
    "GET /{} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)
OPCODES = {0x88: "close", 0x89: "ping"}


def silent(name, port):
    frames, end = [], time.monotonic() + 45
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(OPENING.format(name).encode())
        link.settimeout(1)
        assert link.recv(4096).startswith(b"HTTP/1.1 101")
        while time.monotonic() < end:
            try:
                frame = link.recv(4096)
            except TimeoutError:
                continue
            if not frame:
                break
            frames.append(OPCODES[frame[0]])
        time.sleep(1)
        return frames, pathlib.Path(f"ended-{name}").exists()


seen = {}


def look(name):
    with serving(name) as port:
        seen[name] = silent(name, port)


threads = [threading.Thread(target=look, args=(name,)) for name in COMMANDS]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
told(seen, {name: (["ping", "close"], True) if name == "uvicorn" else ([], False) for name in COMMANDS})
PROBE
