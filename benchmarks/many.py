"""Open very many sockets, leave them alone, then send one message to all of them.

    python -m benchmarks.many [sockets, default 100000] [--idle SECONDS] [--per-process SOCKETS]

Each process, of the server and of the clients, takes as many sockets as it may have file descriptors
(``ulimit -n``). Where one server process may have them all, the room lives in its memory; else the processes
carry the message to each other over the host layer. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import resource
import select
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from . import environment
from .contenders import APPS, SITE
from .servers import Server, free_port, serving

SPARE = 1500  # file descriptors that a process needs for itself, or keeps back
UNDER_WAY = 64
SETTLE = 2.0
PATIENCE = 120.0
MOMENT = 0.2
PING, PONG = 0x89, b"\x8a\x80\0\0\0\0"
PATH = "/ws/chat/everybody/"
MESSAGE = b'{"message":"everybody"}'
HEARD = b"everybody"


def opening(path: str) -> bytes:
    """The request that opens a WebSocket at ``path``."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def masked(message: bytes) -> bytes:
    """A short text message as a client sends it, with a mask of zeros."""
    return bytes([0x81, 0x80 | len(message)]) + b"\0\0\0\0" + message


class Holder:
    """The sockets of one client process.

    Args:
        port: of its server process.
        number: which client it is; each has addresses of its own, so that ports do not run out.
    """

    def __init__(self, port: int, number: int) -> None:
        self._port = port
        self._number = number
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._heard, self._last = 0, 0.0
        self.lost = 0

    def open(self, amount: int) -> int:
        """Open sockets, a few at a time; returns how many are open."""
        opened = 0
        for begun in range(amount):
            self._begin(begun)
            while begun - opened - self.lost >= UNDER_WAY:
                opened += self._answers(b" 101 ")
        end = time.monotonic() + PATIENCE
        while opened + self.lost < amount and time.monotonic() < end:
            opened += self._answers(b" 101 ")
        return opened

    def _begin(self, place: int) -> None:
        client = socket.socket()
        client.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: the port is chosen at connect
        client.bind((f"127.0.{1 + self._number}.{1 + place // 10_000}", 0))
        client.connect(("127.0.0.1", self._port))
        client.sendall(opening(PATH))
        client.setblocking(False)
        self._sockets[client.fileno()] = client
        self._epoll.register(client.fileno(), select.EPOLLIN)

    def _answers(self, expected: bytes) -> int:
        """Read what has come, for a moment; returns how many sockets got what they expect."""
        came = 0
        for number, _ in self._epoll.poll(MOMENT):
            data = b""
            with contextlib.suppress(ConnectionError):
                data = self._sockets[number].recv(4096)
            if not data:
                self._lose(number)
            elif data[0] == PING:
                self._sockets[number].send(PONG)
            came += expected in data
        return came

    def _lose(self, number: int) -> None:
        self.lost += 1
        self._epoll.unregister(number)
        self._sockets.pop(number).close()

    def stay(self) -> None:
        """Read for a moment: pings are answered, and who has the message is counted."""
        if came := self._answers(HEARD):
            self._heard, self._last = self._heard + came, time.monotonic()

    def speak(self) -> None:
        """Say something to the whole room."""
        next(iter(self._sockets.values())).sendall(masked(MESSAGE))

    def hear(self) -> tuple[int, float]:
        """Wait for the message on all sockets; returns how many have it, and when the last one had."""
        end = time.monotonic() + PATIENCE
        while self._heard < len(self._sockets) and time.monotonic() < end:
            self.stay()
        return self._heard, self._last


def hold(line: Connection, port: int, number: int, amount: int) -> None:
    """What a client process does: it opens, and does as it is told."""
    holder = Holder(port, number)
    line.send(holder.open(amount))
    while (order := _order(line, holder)) != "end":
        if order == "speak":
            holder.speak()
        line.send(holder.hear())
    line.send(holder.lost)


def _order(line: Connection, holder: Holder) -> str:
    while not line.poll():
        holder.stay()
    order: str = line.recv()
    return order


def shares(sockets: int, most: int) -> list[int]:
    """How many sockets each process takes."""
    processes = -(-sockets // most)
    return [sockets // processes + (place < sockets % processes) for place in range(processes)]


@contextlib.contextmanager
def server(amount: int) -> Iterator[Server]:
    """The chat in as many processes as it takes."""
    ports = [free_port() for _ in range(amount)]
    program = [sys.executable, "-m", "daphne", "-v", "0", "-b", "127.0.0.1"]
    with tempfile.TemporaryDirectory() as folder:
        env = environment.variables(
            PYTHONPATH=str(environment.ROOT / "src"),
            BENCH_LAYER="memory" if amount == 1 else "host",
            BENCH_MEETING=f"{folder}/layer",
        )
        commands = [[*program, "-p", str(port), SITE] for port in ports]
        with serving(commands, ports, APPS, env, Path(folder) / "log") as running:
            yield running


def run(sockets: int, idle: float, most: int) -> dict[str, float]:
    """Do it; returns what came out."""
    parts = shares(sockets, most)
    with server(len(parts)) as running:
        before = running.memory()
        begun = time.monotonic()
        lines = []
        for number, (port, amount) in enumerate(zip(running.ports, parts, strict=True)):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=hold, args=(theirs, port, number, amount), daemon=True)
            process.start()
            lines.append(ours)
        opened = sum(line.recv() for line in lines)
        took = time.monotonic() - begun
        time.sleep(SETTLE)
        memory, busy = running.memory() - before, running.cpu_seconds()
        time.sleep(idle)
        busy = running.cpu_seconds() - busy
        spoken = time.monotonic()
        for line in lines:
            line.send("speak" if line is lines[0] else "hear")
        heard = [line.recv() for line in lines]
        for line in lines:
            line.send("end")
        lost = sum(line.recv() for line in lines)
    return {
        "asked": sockets,
        "server_processes": len(parts),
        "opened": opened,
        "opened_per_s": round(opened / took),
        "kB_per_socket": round(memory / opened / 1000, 2),
        "idle_cpu_percent": round(busy / max(idle, 1e-9) * 100, 2),
        "reached": sum(amount for amount, _ in heard),
        "last_byte_s": round(max(last for _, last in heard) - spoken, 3),
        "lost": lost,
    }


def main() -> None:
    """Read the command line, do it, print it."""
    parser = argparse.ArgumentParser(description="Many idle sockets, one message to all of them.")
    parser.add_argument("sockets", type=int, nargs="?", default=100_000)
    parser.add_argument("--idle", type=float, default=10.0, help="seconds in which nothing happens")
    parser.add_argument("--per-process", type=int, help="sockets of one process (default: ulimit -n allows)")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = options.per_process or hard - SPARE
    result = run(options.sockets, options.idle, most)
    print(json.dumps(result))
    sys.exit(result["reached"] != options.sockets)


if __name__ == "__main__":
    main()
