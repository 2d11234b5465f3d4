"""A way to the application, direct or through a proxy, and what can be seen of a request along it.

The proxy speaks to a tap, which notes every byte on its way to our server; our server hands what it
understood to an application that notes its scopes. A case is sent byte for byte, and three things come back:
what the proxy let through, what the application saw, and what the client was told.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from channels.server.config import Config
from channels.server.in_thread import ServerThread
from channels.typing import Receive, Scope, Send
from tests.security.proxies import PROXIES, has_known_version
from tests.server.helpers import LONG
from tests.support.certificates import Pair

_HEAD = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r].*?\r\n\r\n", re.S)
_MARK = re.compile(rb"^x-forwarded-proto: https\r$", re.IGNORECASE | re.MULTILINE)
#: As a deployment behind a proxy starts the server; limits small enough to be met.
OPTIONS: dict[str, Any] = {
    "proxy_address_header": "X-Forwarded-For",
    "proxy_port_header": "X-Forwarded-Port",
    "proxy_proto_header": "X-Forwarded-Proto",
    "trusted_proxies": ("unix",),
    "max_body_size": 10_000,
    "head_timeout": 1.0,
    "body_timeout": 1.0,
}


@dataclass(slots=True)
class Seen:
    """One request as the application saw it."""

    scope: Scope
    body: bytes = b""

    @property
    def path(self) -> str:
        return str(self.scope["raw_path"].decode("latin-1"))

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.scope["headers"]}

    @property
    def client(self) -> str:
        return str((self.scope["client"] or ["the socket"])[0])


@dataclass(slots=True)
class Result:
    """What came of one case."""

    seen: list[Seen]
    passed: bytes
    answer: bytes
    through: bool

    @property
    def answers(self) -> list[tuple[int, bool]]:
        """The status of each answer, and whether our server wrote it: its refusals are plain text."""
        return [(int(head[1]), b"text/plain" in head[0]) for head in _HEAD.finditer(self.answer)]

    @property
    def sent_on(self) -> int:
        """How many requests the proxy means to have sent: it writes this field, our cases do not."""
        return len(_MARK.findall(self.passed))

    def __str__(self) -> str:
        """``served PATHS``, a socket's after ``ws:``, and ``stopped`` (proxy) or ``refused`` (we) STATUS."""
        kinds = {"http": "", "websocket": "ws:"}
        words = [kinds[seen.scope["type"]] + seen.path for seen in self.seen]
        words = ["served", *words] if words else []
        for status, ours in self.answers:
            if status >= 300:
                words += ["refused" if ours else "stopped", str(status)]
        return " ".join(words) or "dropped"


class Witness:
    """An application that notes what it sees, and answers 200."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise ValueError("no lifespan")
        seen = Seen(scope)
        self.seen.append(seen)
        if scope["path"] == "/events":
            await self._events(send)
            return
        if scope["type"] == "websocket":
            await self._socket(receive, send)
            return
        while (message := await receive())["type"] == "http.request":
            seen.body += message["body"]
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def _events(self, send: Send) -> None:
        """Twenty events, each with the time at which it was sent."""
        fields = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        for _ in range(20):
            body = b"data: %f\n\n" % time.monotonic()
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(0.02)
        await send({"type": "http.response.body"})

    async def _socket(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})


class Tap:
    """A relay on a Unix socket that notes what goes through it towards the server."""

    def __init__(self, path: Path, behind: Path) -> None:
        self.path, self.behind = path, behind
        self.passed = bytearray()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Tap:
        self._thread.start()
        starting = asyncio.start_unix_server(self._relay, self.path)
        asyncio.run_coroutine_threadsafe(starting, self._loop).result(LONG)
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(LONG)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_unix_connection(self.behind)
        try:
            await asyncio.gather(self._copy(reader, ours, self.passed), self._copy(theirs, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            ours.close()
            writer.close()

    async def _copy(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, note: bytearray | None = None
    ) -> None:
        while data := await source.read(65_536):
            if note is not None:
                note += data
            target.write(data)
            await target.drain()
        with contextlib.suppress(OSError):
            target.write_eof()


def _never(data: bytes) -> bool:
    return False


class Way:
    """Where a client knocks, and all that is behind."""

    def __init__(self, name: str, port: int, server: ServerThread, witness: Witness) -> None:
        self.name, self.port, self.server, self.witness = name, port, server, witness
        self.known_version = name == "direct" or has_known_version(name)
        self.tap: Tap | None = None
        self.context: ssl.SSLContext | None = None

    def connect(self, protocol: str = "http/1.1") -> socket.socket:
        """A connection as a client has it: in TLS where a proxy is, which is what the page configures."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=LONG)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is None:
            return plain
        self.context.set_alpn_protocols([protocol])
        return self.context.wrap_socket(plain, server_hostname="localhost")

    def send(
        self, data: bytes, protocol: str = "http/1.1", ended: Callable[[bytes], bool] = _never
    ) -> Result:
        """Send some bytes, read until the other side closes or all is said, and say what came of it."""
        self.clear()
        with self.connect(protocol) as sock:
            with contextlib.suppress(OSError):  # refused before all was said: the answer is still to be read
                sock.sendall(data)
            answer = _rest(sock, ended)
        return self.result(answer)

    def clear(self) -> None:
        """Forget the case before."""
        self.server.settle()
        self.witness.seen.clear()
        if self.tap is not None:
            self.tap.passed.clear()

    def result(self, answer: bytes = b"") -> Result:
        """What is known by now."""
        self.server.settle()
        passed = b"" if self.tap is None else bytes(self.tap.passed)
        return Result(list(self.witness.seen), passed, answer, self.tap is not None)


def _rest(sock: socket.socket, ended: Callable[[bytes], bool]) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionResetError, ssl.SSLError):
        while not ended(data) and (piece := sock.recv(65_536)):
            data += piece
    return data


@contextmanager
def way(name: str, folder: Path, pair: Pair, *changes: tuple[str, str], **options: Any) -> Iterator[Way]:
    """Open one: ``direct``, or through ``nginx`` or ``haproxy``, configured with ``changes`` to the page."""
    witness, behind = Witness(), folder / "server.sock"
    endpoints = ("tcp:port=0:interface=127.0.0.1", f"unix:{behind}:mode=660")
    config = Config(
        app=witness, endpoints=endpoints, lifespan="off", drain_idle_timeout=0.0, **OPTIONS | options
    )
    with ServerThread.of(config, "127.0.0.1") as server:
        if name == "direct":
            yield Way(name, server.port, server, witness)
            return
        with Tap(folder / "tap.sock", behind) as tap, PROXIES[name](folder, tap.path, pair, *changes) as port:
            found = Way(name, port, server, witness)
            found.tap, found.context = tap, pair.client()
            yield found
