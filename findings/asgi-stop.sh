#!/bin/sh
# A server that is told to stop (SIGTERM) has two WebSockets: one is idle, of the other the application works on a message for two
# seconds and would answer then. Four servers, four ends:
#   uvicorn 0.54.0    closes both at once with 1012; the work goes on, and its answer raises
#   hypercorn 0.18.0  answers, waits three seconds in all, cancels the application and says 1011, an error
#   granian 2.8.9     cuts both at once without a Close frame, and ends before the work is done
#   gunicorn 27.0.1   answers, waits thirty seconds for an idle socket, and cuts both without a Close frame
#
# Seen, (whether the work was answered, its code, that of the idle one, about how many seconds it took):
#   {'uvicorn': (False, 1012, 1012, 0), 'hypercorn': (True, 1011, 1011, 3), 'granian': (False, 1006, 1006, 0),
#    'gunicorn': (True, 1006, 1006, 30)}
. "$(dirname "$0")/shared/asgi.sh"
"$folder/venv/bin/pip" install -q gunicorn==27.0.1 websockets==17.4 2>/dev/null
cat > app.py <<'APP'
import asyncio


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError(scope["type"])
    await receive()
    await send({"type": "websocket.accept"})
    if (await receive())["type"] == "websocket.receive":
        await asyncio.sleep(2)
        await send({"type": "websocket.send", "text": "done"})
        await receive()
APP
"$folder/venv/bin/python" - <<'PROBE'
import signal
import socket
import subprocess
import threading
import time

from servers import BIN, COMMANDS, told, wait_for
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

COMMANDS["gunicorn"] = ["gunicorn", "-k", "asgi", "--asgi-lifespan", "off", "-b", "127.0.0.1:{port}"]


def listen(client, found):
    try:
        while True:
            found.append(client.recv(60))
    except ConnectionClosed:
        found.append(int(client.close_code))


def stop(process, clients):
    """Return what both clients got after SIGTERM, and after how many seconds the last one was closed."""
    found = [[] for _ in clients]
    threads = [threading.Thread(target=listen, args=pair) for pair in zip(clients, found)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    return found, time.monotonic() - began


def ends(name):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [word.format(port=port) for word in COMMANDS[name]]
    with open(f"{name}.log", "w") as log:
        process = subprocess.Popen([BIN / command[0], *command[1:], "app:application"], stdout=log, stderr=log)
    wait_for(port)
    address = f"ws://127.0.0.1:{port}"
    with connect(address, ping_interval=None) as idle, connect(address, ping_interval=None) as busy:
        busy.send("work")
        time.sleep(0.5)
        (of_idle, of_busy), seconds = stop(process, [idle, busy])
    process.wait(60)
    return "done" in of_busy, of_busy[-1], of_idle[-1], round(seconds / 3) * 3


seen = {}
threads = [threading.Thread(target=lambda name=name: seen.update({name: ends(name)})) for name in COMMANDS]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
told(
    seen,
    {
        "uvicorn": (False, 1012, 1012, 0),
        "hypercorn": (True, 1011, 1011, 3),
        "granian": (False, 1006, 1006, 0),
        "gunicorn": (True, 1006, 1006, 30),
    },
)
PROBE
