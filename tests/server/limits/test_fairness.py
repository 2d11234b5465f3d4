"""Frames that carry no message: others do not wait for them, and whoever sends nothing else is closed."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.endurance.frames import KINDS, PEERS, Kind
from channels.server.config import Config
from channels.server.in_thread import ServerThread
from channels.typing import Receive, Scope, Send
from tests.server.helpers import GET, LONG, echo
from tests.support.certificates import make_pair

#: What others may wait for four peers, in seconds of the server's own time.
LIMIT = 0.050
_FLOOD = 1_000_000
ENGINES = [("uvloop", "zttp", "native"), ("asyncio", "h11", "h2")]


class Gate:
    """An application that holds the loop until it is let go, and notes when it serves another request."""

    def __init__(self) -> None:
        self.held, self.go = threading.Event(), threading.Event()
        self.waited = -1.0
        self._released_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/hold":
            self.held.set()
            self.go.wait(LONG)
            self._released_at = time.thread_time()
        elif scope["path"] == "/other":
            self.waited = time.thread_time() - self._released_at
        else:
            await echo(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


@contextlib.contextmanager
def connected(server: ServerThread, number: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=LONG))
            for _ in range(number)
        ]


def open_kind(peer: socket.socket, kind: Kind) -> None:
    peer.sendall(kind.opening)
    got = b""
    while kind.answered not in got:
        got += peer.recv(65536)
    peer.sendall(kind.begun)


def fill(peer: socket.socket, unit: bytes, size: int = _FLOOD) -> None:
    """Write until the kernel takes no more."""
    peer.setblocking(False)
    data = unit * (size // len(unit))
    with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError):
        while data:
            data = data[peer.send(data) :]


@pytest.mark.parametrize(("loop", "http1", "http2"), ENGINES)
@pytest.mark.parametrize("name", KINDS)
def test_others_do_not_wait_for_four_peers(name: str, loop: str, http1: str, http2: str) -> None:
    app, kind = Gate(), KINDS[name]
    options: dict[str, Any] = {"loop": loop, "http1_engine": http1, "http2_engine": http2}
    with (
        ServerThread(app, "127.0.0.1", **options) as server,
        connected(server, PEERS) as peers,
        connected(server, 2) as (holder, other),
    ):
        assert_others_do_not_wait(server, app, kind, peers, (holder, other))


def assert_others_do_not_wait(
    server: ServerThread,
    app: Gate,
    kind: Kind,
    peers: Sequence[socket.socket],
    others: tuple[socket.socket, socket.socket],
) -> None:
    """The floods have arrived before the request of the other one, while the loop is held."""
    holder, other = others
    for peer in peers:
        open_kind(peer, kind)
    server.settle()
    holder.sendall(GET.replace(b" / ", b" /hold "))
    assert app.held.wait(LONG)
    for peer in peers:
        fill(peer, kind.unit)
    other.sendall(GET.replace(b" / ", b" /other "))
    app.go.set()
    assert b" 200 " in other.recv(4096)
    assert 0.0 <= app.waited < LIMIT


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("name", ["WebSocket: pings", "HTTP/2: DATA of a byte", "HTTP/1.1: chunks of a byte"])
def test_others_do_not_wait_over_tls(tmp_path: Path, name: str, loop: str) -> None:
    app, kind, pair = Gate(), KINDS[name], make_pair(tmp_path)
    context = pair.client("h2" if "HTTP/2" in name else "http/1.1")
    config = Config(app=app, endpoints=(pair.endpoint,), loop=loop, drain_idle_timeout=0.0)
    with (
        ServerThread.of(config, "127.0.0.1") as server,
        connected(server, PEERS + 2) as sockets,
        contextlib.ExitStack() as stack,
    ):
        plain = pair.client("http/1.1")
        holder, other, *peers = [
            stack.enter_context(use.wrap_socket(sock, server_hostname="localhost"))
            for use, sock in zip([plain, plain, *[context] * PEERS], sockets, strict=True)
        ]
        assert_others_do_not_wait(server, app, kind, peers, (holder, other))


def refused(peer: socket.socket, unit: bytes) -> bytes:
    """Flood until the server has closed; returns what it said."""
    peer.setblocking(False)
    block, said, end = unit * max(1, 32_768 // len(unit)), b"", time.monotonic() + LONG
    while time.monotonic() < end:
        readable, writable, _ = select.select([peer], [peer], [], LONG)
        try:
            if readable:
                if not (more := peer.recv(65536)):
                    return said
                said += more
            elif writable:
                peer.send(block)
        except BlockingIOError:
            pass
        except OSError:
            return said
    raise AssertionError("It was not closed.")


_POLICY, _CALM = b"\x03\xf0", b"\0\0\0\x0b"
#: What the server says last, for each kind that has a limit of its own.
REFUSALS = {
    "WebSocket: pings": _POLICY,
    "WebSocket: pongs": _POLICY,
    "WebSocket: empty fragments": _POLICY,
    "WebSocket: fragments of a byte": _POLICY,
    "WebSocket: empty messages": _POLICY,
    "WebSocket over HTTP/2: a ping in each DATA": _POLICY,
    "HTTP/2: DATA of a byte": _CALM,
    "HTTP/2: empty DATA": _CALM,
    "HTTP/2: DATA of padding": _CALM,
    "HTTP/2: PING": _CALM,
    "HTTP/2: SETTINGS": _CALM,
    "HTTP/2: WINDOW_UPDATE": _CALM,
    "HTTP/2: PRIORITY": _CALM,
    "HTTP/2: unknown frames": _CALM,
    "HTTP/1.1: chunks of a byte": b"HTTP/1.1 429 ",
    "HTTP/1.1: empty lines": b"HTTP/1.1 400 ",
}


@pytest.mark.parametrize(("loop", "http1", "http2"), ENGINES)
@pytest.mark.parametrize("name", REFUSALS)
def test_who_sends_nothing_else_is_closed(name: str, loop: str, http1: str, http2: str) -> None:
    kind = KINDS[name]
    engines: dict[str, Any] = {"loop": loop, "http1_engine": http1, "http2_engine": http2}
    with ServerThread(drain, "127.0.0.1", **engines) as server, connected(server, 1) as (peer,):
        open_kind(peer, kind)
        assert REFUSALS[name] in refused(peer, kind.unit)


async def drain(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes all that comes, and answers at its end."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            pass
        return
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.request":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
