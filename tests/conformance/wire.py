"""A client that says exactly what it is told, and reads answers as strictly as a proxy would."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

from channels.server.in_thread import ServerThread
from channels.typing import Receive, Scope, Send
from tests.server.helpers import LONG, echo


@dataclass(slots=True)
class Answer:
    """One response as it was on the wire; header names lowercased."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A blocking socket to a server, closed with the block."""

    def __init__(self, server: ServerThread) -> None:
        self.socket = socket.create_connection((server.host, server.port), timeout=LONG)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        # What is refused before it is all said: the answer is still there to read.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        assert len(data) == size, f"closed after {data!r} where {size} bytes were to come"
        return data

    def answer(self, method: str = "GET") -> Answer:
        """The next response; interim ones are answers of their own."""
        line = self._file.readline()
        assert line.startswith(b"HTTP/1.1 "), line
        headers: dict[str, str] = {}
        while (field := self._file.readline()) != b"\r\n":
            assert field.endswith(b"\r\n"), field
            name, value = field.decode("latin-1").split(":", 1)
            assert name.lower() not in headers, f"{name} twice"
            headers[name.lower()] = value.strip()
        status = int(line[9:12])
        return Answer(status, headers, self._body(method, status, headers))

    def _body(self, method: str, status: int, headers: dict[str, str]) -> bytes:
        if method == "HEAD" or status < 200 or status in (204, 304):
            return b""
        if "transfer-encoding" in headers:
            assert "content-length" not in headers
            return b"".join(self._chunks())
        if "content-length" in headers:
            return self.read(int(headers["content-length"]))
        return self.rest()

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._file.readline(), 16):
            yield self.read(size)
            assert self.read(2) == b"\r\n"
        assert self._file.readline() == b"\r\n"

    def rest(self) -> bytes:
        """Everything up to the end of the connection, by which way ever it ends."""
        try:
            return self._file.read()
        except ConnectionResetError:
            return b""


class Listening:
    """The echo application, and which paths it was asked for."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "path" in scope:
            self.paths.append(scope["path"])
        await echo(scope, receive, send)


@contextmanager
def listening(**options: Any) -> Iterator[tuple[ServerThread, Listening]]:
    """A server in a thread, with what its application was asked."""
    app = Listening()
    with ServerThread(app, "127.0.0.1", **options) as server:
        yield server, app
