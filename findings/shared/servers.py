"""Run an ASGI application under three servers, and ask them over HTTP/1.1."""

import contextlib
import pathlib
import socket
import subprocess
import sys
import time

BIN = pathlib.Path(sys.executable).parent
COMMANDS = {
    "uvicorn": ["uvicorn", "--lifespan", "off", "--port", "{port}"],
    "hypercorn": ["hypercorn", "-b", "127.0.0.1:{port}"],
    "granian": ["granian", "--interface", "asginl", "--port", "{port}"],
}


@contextlib.contextmanager
def serving(name):
    """Serve ``app:application`` and yield the port; the log goes to a file beside it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [word.format(port=port) for word in COMMANDS[name]]
    with open(f"{name}.log", "w") as log:
        words = [BIN / command[0], *command[1:], "app:application"]
        process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait(20)


def wait_for(port):
    """Wait until somebody listens, for 20 s at most."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nobody listens on {port}")


def pieces(port, request, quiet=2.0):
    """Send a request; return what came, as (seconds, bytes), until the end or ``quiet`` silent seconds."""
    came, began = [], time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 5) as link:
        link.settimeout(quiet)
        link.sendall(request)
        with contextlib.suppress(TimeoutError):
            while data := link.recv(65536):
                came.append((time.monotonic() - began, data))
    return came


def told(seen, expected):
    """Print both and end with 1 if they differ."""
    print("saw     ", seen)
    print("expected", expected)
    sys.exit(seen != expected)
