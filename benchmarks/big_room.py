"""A room with more members than a process may have descriptors: WebSockets over HTTP/2, many to a connection.

    python -m benchmarks.big_room [members, default 50000] [--times N]

One server process has all of them in its memory. One member speaks; what counts is when the last one has
heard it, and how long an echo on another socket waits meanwhile. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import select
import socket
import statistics
import struct
import time
from multiprocessing.connection import Connection

from hpack import Encoder

from .many import PATIENCE, masked, opening, server

PER_CONNECTION = 100  # what servers allow: RFC 9113 6.5.2 recommends no less
PAUSE = 0.3
MESSAGE = b"m" * 64
ROOM = "/ws/broadcast/everybody/"
_HEADERS, _DATA, _SETTINGS, _WINDOW = 1, 0, 4, 8
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_ROOMY = struct.pack("!I", 2**30)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame of HTTP/2 (RFC 9113 4.1)."""
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


class Members:
    """One connection, and the members on it.

    Attributes:
        opened: how many have been answered.
        heard: how many have the message.
        last: when the last one had it.
    """

    def __init__(self, port: int, amount: int) -> None:
        self.opened = self.heard = 0
        self.last = 0.0
        self._buffer = b""
        self.socket = socket.create_connection(("127.0.0.1", port))
        fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", ROOM)]
        fields += [(":authority", "127.0.0.1"), ("sec-websocket-version", "13")]
        encoder = Encoder()
        encoder.header_table_size = 0  # each head then means the same by itself
        head = encoder.encode(fields, huffman=False)
        begin = _PREFACE + frame(_SETTINGS, 0, 0) + frame(_SETTINGS, 1, 0) + frame(_WINDOW, 0, 0, _ROOMY)
        streams = range(1, 2 * amount, 2)
        self.socket.sendall(begin + b"".join(frame(_HEADERS, 4, stream, head) for stream in streams))

    def read(self) -> None:
        """Take what has come."""
        data = self._buffer + self.socket.recv(1 << 18)
        at = 0
        while len(data) >= at + 9 and len(data) >= (end := at + 9 + int.from_bytes(data[at : at + 3], "big")):
            self.opened += data[at + 3] == _HEADERS
            if data[at + 3] == _DATA and MESSAGE in data[at + 9 : end]:
                self.heard, self.last = self.heard + 1, time.perf_counter()
            at = end
        self._buffer = data[at:]

    def speak(self) -> None:
        """Have the first member say something to the room."""
        self.socket.sendall(frame(_DATA, 0, 1, masked(MESSAGE)))


class Room:
    """All members.

    Args:
        port: of the server.
        amount: how many there are to be.

    Raises:
        TimeoutError: they were not let in.
    """

    def __init__(self, port: int, amount: int) -> None:
        self._amount = amount
        self._epoll = select.epoll()
        self._connections: dict[int, Members] = {}
        for first in range(0, amount, PER_CONNECTION):
            members = Members(port, min(PER_CONNECTION, amount - first))
            self._connections[members.socket.fileno()] = members
            self._epoll.register(members.socket.fileno(), select.EPOLLIN)
            self._until("opened", first)
        self._until("opened", amount)

    def _sum(self, name: str) -> int:
        return sum(getattr(members, name) for members in self._connections.values())

    def _until(self, name: str, amount: int) -> None:
        end = time.monotonic() + PATIENCE
        while self._sum(name) < amount:
            if time.monotonic() > end:
                raise TimeoutError(f"{self._sum('opened')} are in, {self._sum('heard')} have heard it.")
            for number, _ in self._epoll.poll(0.05):
                self._connections[number].read()

    def say(self) -> float:
        """Say something; returns seconds until the last member has heard it."""
        for members in self._connections.values():
            members.heard = 0
        began = time.perf_counter()
        next(iter(self._connections.values())).speak()
        self._until("heard", self._amount)
        return max(members.last for members in self._connections.values()) - began


def echo(line: Connection, port: int) -> None:
    """What another process does until it is told to end: it asks, and sends the longest wait in seconds."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(opening("/ws/echo/"))
        client.recv(4096)
        worst = 0.0
        line.send(worst)
        while not line.poll(0.002):
            began = time.perf_counter()
            client.sendall(masked(b"?"))
            client.recv(4096)
            worst = max(worst, time.perf_counter() - began)
    line.send(worst)


def run(members: int, times: int) -> dict[str, float]:
    """Do it; returns what came out."""
    with server(1) as running:
        (port,) = running.ports
        began = time.monotonic()
        room = Room(port, members)
        took = time.monotonic() - began
        ours, theirs = multiprocessing.Pipe()
        multiprocessing.Process(target=echo, args=(theirs, port), daemon=True).start()
        ours.recv()
        waits = []
        for _ in range(times):
            waits.append(room.say())
            time.sleep(PAUSE)
        ours.send("end")
        worst = ours.recv()
    return {
        "members": members,
        "opened_s": round(took, 1),
        "last_byte_ms": round(statistics.median(waits) * 1000, 1),
        "slowest_ms": round(max(waits) * 1000, 1),
        "echo_at_most_ms": round(worst * 1000, 1),
    }


def main() -> None:
    """Read the command line, do it, print it."""
    parser = argparse.ArgumentParser(description="One message to a very big room in one process.")
    parser.add_argument("members", type=int, nargs="?", default=50_000)
    parser.add_argument("--times", type=int, default=7)
    options = parser.parse_args()
    print(json.dumps(run(options.members, options.times)))


if __name__ == "__main__":
    main()
