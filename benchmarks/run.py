"""Measure our own server and layer, quickly: an echo and the guide's chat, on this machine, now.

    python benchmarks/run.py [seconds per row]

It needs a C compiler (cc) for the client, which must not be the bottleneck. The numbers say
whether a change made things faster or slower here; they compare nothing. The comparison with
channels, daphne, uvicorn and others comes later, with a method of its own.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: what, wsload's mode, path, connections, messages under way, bytes per message
ROWS = (
    ("echo, 1 socket", "echo", "/echo/", 1, 1, 64),
    ("echo, 100 sockets", "echo", "/echo/", 100, 1, 64),
    ("chat, room of 10", "fanout", "/chat/ten/", 10, 4, 64),
    ("chat, room of 500", "fanout", "/chat/many/", 500, 4, 64),
)


def build_client(folder: Path) -> Path:
    """Compile wsload; end with what to install if there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        sys.exit("No C compiler found. Install one: apt-get install gcc libc6-dev")
    program = folder / "wsload"
    subprocess.run([compiler, "-O2", "-o", str(program), str(HERE / "wsload.c")], check=True)
    return program


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(port: int) -> subprocess.Popen[bytes]:
    """Serve the application with the command users use; returns when it listens."""
    command = [sys.executable, "-m", "daphne", "-v", "0", "-p", str(port), "application:application"]
    server = subprocess.Popen(command, cwd=HERE)
    end = time.monotonic() + 20
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.05)
    server.kill()
    sys.exit("The server did not start.")


def measure(client: Path, port: int, row: tuple[str, str, str, int, int, int], seconds: float) -> str:
    """One line of the table."""
    name, mode, path, connections, window, size = row
    numbers = (connections, seconds, window, size)
    command = [str(client), mode, "127.0.0.1", str(port), path, *map(str, numbers)]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return f"{name:<20}{found['per_s']:>12,}{found['p50_us']:>12,}{found['p99_us']:>12,}"


def main(seconds: float) -> None:
    """Print the table, row by row."""
    with tempfile.TemporaryDirectory() as folder:
        client, port = build_client(Path(folder)), free_port()
        server = start_server(port)
        try:
            print(f"{'':<20}{'messages/s':>12}{'p50 µs':>12}{'p99 µs':>12}")
            for row in ROWS:
                print(measure(client, port, row, seconds), flush=True)
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0)
