"""Print, as JSON, how many functions of ours one operation of each benchmark row calls, on average.

    python -m tests.support.calls

A server of the benchmarks' own applications runs in a thread of this process under ``threading.setprofile``,
and one client asks it for the same again and again. Awaits that go on after a wait count as calls, too.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import channels
from channels import telemetry

ROOT = Path(__file__).resolve().parents[2]
SOURCE = str(Path(channels.__file__).parent) + os.sep
WARM_UPS = 60
TIMES = 100
#: Members of the room of the chat.
ROOM = 20
OPENING = (
    b"GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"
ECHO = b"\x81\x85\0\0\0\0hello"


class Counter:
    """Counts the calls of functions of ours while it is ``on``, in every thread that begins after it."""

    def __init__(self) -> None:
        self.calls = 0
        self.on = False
        threading.setprofile(self._note)

    def _note(self, frame: FrameType, event: str, arg: Any) -> None:
        if self.on and event == "call" and frame.f_code.co_filename.startswith(SOURCE):
            self.calls += 1

    def average(self, operation: Callable[[], None]) -> float:
        """Return how many calls one of many operations takes."""
        for _ in range(WARM_UPS):
            operation()
        time.sleep(0.3)  # what the last one has left to be done
        self.calls, self.on = 0, True
        for _ in range(TIMES):
            operation()
        time.sleep(0.3)
        self.on = False
        return self.calls / TIMES


def websocket(server: Any, path: bytes) -> socket.socket:
    """Open a WebSocket."""
    client = socket.create_connection((server.host, server.port))
    client.sendall(OPENING % path)
    answer = client.recv(4096)
    assert answer.startswith(b"HTTP/1.1 101"), answer
    return client


def connect(server: Any) -> Iterator[Callable[[], None]]:
    """A visitor comes into the chat and leaves it."""

    def operation() -> None:
        with websocket(server, b"/ws/chat/room/") as client:
            client.sendall(CLOSE)
            assert client.recv(100)

    yield operation


def echo(server: Any) -> Iterator[Callable[[], None]]:
    """A text, and the same back."""
    with websocket(server, b"/ws/echo/") as client:

        def operation() -> None:
            client.sendall(ECHO)
            assert client.recv(100).endswith(b"hello")

        yield operation


def chat(server: Any) -> Iterator[Callable[[], None]]:
    """A message of the guide's chat to a room."""
    members = [websocket(server, b"/ws/chat/calls/") for _ in range(ROOM)]
    said = b'{"message": "hello"}'

    def operation() -> None:
        members[0].sendall(bytes((0x81, 0x80 + len(said), 0, 0, 0, 0)) + said)
        for member in members:
            assert member.recv(100).endswith(said)

    yield operation
    for member in members:
        member.close()


def page(server: Any) -> Iterator[Callable[[], None]]:
    """A page of a sync view."""
    with socket.create_connection((server.host, server.port)) as client:

        def operation() -> None:
            client.sendall(b"GET /page/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 200 OK" in client.recv(4096)

        yield operation


def http2(server: Any) -> Iterator[Callable[[], None]]:
    """A page of an application without a framework, over HTTP/2."""
    from h2.connection import H2Connection
    from h2.events import StreamEnded

    with socket.create_connection((server.host, server.port)) as client:
        protocol = H2Connection()
        protocol.initiate_connection()
        head = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "localhost")]

        def operation() -> None:
            stream_id = protocol.get_next_available_stream_id()
            protocol.send_headers(stream_id, head, end_stream=True)
            client.sendall(protocol.data_to_send())
            while not any(
                isinstance(event, StreamEnded) for event in protocol.receive_data(client.recv(65536))
            ):
                pass

        yield operation


def publish(server: Any) -> Iterator[Callable[[], None]]:
    """A PUBLISH of MQTT 3.1.1 with QoS 1, to a topic with history."""
    with socket.create_connection((server.host, server.port)) as client:
        client.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01?")
        assert client.recv(100) == b"\x20\x02\x00\x00"

        def operation() -> None:
            client.sendall(b"\x32\x0c\x00\x06kept/1\x00\x0112")
            assert client.recv(100) == b"\x40\x02\x00\x01"

        yield operation


@contextmanager
def serving(application: Any) -> Iterator[Any]:
    """Serve an application in a thread."""
    from channels.server.in_thread import ServerThread

    with ServerThread(application, websocket_max_rate=0) as server:
        yield server


@contextmanager
def serving_mqtt(application: Any) -> Iterator[Any]:
    """Serve a broker likewise."""
    from channels.server.config import Config
    from channels.server.in_thread import ServerThread

    config = Config(app=application, endpoints=("tcp:port=0:interface=127.0.0.1:app=mqtt",))
    with ServerThread.of(config, "127.0.0.1") as server:
        yield server


def main() -> None:
    """Count, and print."""
    sys.path.insert(0, str(ROOT / "benchmarks" / "apps"))
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchsite.settings"
    counter = Counter()
    from bare import application as bare  # type: ignore[import-not-found]
    from benchsite.asgi import application as site  # type: ignore[import-not-found]
    from benchsite.broker import application as broker  # type: ignore[import-not-found]

    found = {}
    for application, serve, operations in (
        (site, serving, (connect, echo, chat, page)),
        (bare, serving, (http2,)),
        (broker, serving_mqtt, (publish,)),
    ):
        with serve(application) as server:
            for prepare in operations:
                for operation in prepare(server):
                    found[prepare.__name__] = counter.average(operation)
    found["chat, inspector"] = counted_with_inspector(counter, site)
    found["echo, metrics"] = counted_with_metrics(counter, site)
    print(json.dumps(found))


def counted_with_inspector(counter: Counter, application: Any) -> float:
    """Return what a message of the chat calls while there is a log of what became of the last ones."""
    from channels.diagnostics import delivery_log
    from channels.server.asgi import inspection

    delivery_log.keep(100)
    inspection.keep_endings(100)
    with serving(application) as server:
        found = next(counter.average(operation) for operation in chat(server))
    delivery_log.keep(0)
    return found


def counted_with_metrics(counter: Counter, application: Any) -> float:
    """Return what an echo calls while all is counted; the first connection is one of those that are timed."""
    from channels.observability.metrics.counting import recorder

    telemetry.metered = True
    recorder.start("server", None)
    with serving(application) as server, websocket(server, b"/ws/echo/"):
        return next(counter.average(operation) for operation in echo(server))


if __name__ == "__main__":
    main()
