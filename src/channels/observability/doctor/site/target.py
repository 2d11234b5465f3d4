"""The address that is asked, the way to it, and what is known of it so far."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from channels.observability.doctor.probe import path_for

#: Seconds for one answer.
TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP.

    Attributes:
        status: of the response.
        headers: by names in lower case, the last of each.
        body: at most 64 KiB.
        sent_at: when it was asked, by ``time.time()``.
        came_at: when it had come.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    sent_at: float = 0.0
    came_at: float = 0.0

    @property
    def who(self) -> str:
        """Who says it has answered: the headers Server and Via."""
        said = [f"{name.title()}: {self.headers[name]}" for name in ("server", "via") if name in self.headers]
        return ", ".join(said) or "neither Server nor Via says who"

    def seen(self) -> dict[str, Any] | None:
        """What the probe behind the address says; None if that was not the probe."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return None
        return found if isinstance(found, dict) and "worker" in found else None


@dataclass(slots=True)
class Target:
    """A site.

    Args:
        url: its address, ``https://example.org``, with a path below which it is mounted if it is.
        ca: a file with the authority of its certificate; "" for those of the system.
        idle: seconds for which a silent WebSocket is watched.
        body: bytes of the largest body that is tried.
        message: bytes of the largest WebSocket message that is tried.

    Attributes:
        seen: how a request arrived; None before it was asked, or where the probe does not answer.
        ahead: seconds by which the clock of the server is ahead of ours.
    """

    url: str
    ca: str = ""
    idle: float = 30.0
    body: int = 2_500_000
    message: int = 1_000_000
    seen: dict[str, Any] | None = field(default=None, init=False)
    ahead: float = field(default=0.0, init=False)

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def host(self) -> str:
        """The name of the host."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port."""
        return urlsplit(self.url).port or (443 if self.secure else 80)

    @property
    def origin(self) -> str:
        """What a page of the site says is its origin."""
        default = self.port == (443 if self.secure else 80)
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{urlsplit(self.url).scheme}://{name}" + ("" if default else f":{self.port}")

    def path(self, what: str) -> str:
        """The path of a probe."""
        return urlsplit(self.url).path.rstrip("/") + path_for(what)

    def websocket_url(self) -> str:
        """The address of the WebSocket probe."""
        return self.origin.replace("http", "ws", 1) + self.path("socket")

    def context(self) -> ssl.SSLContext | None:
        """How its certificate is judged; None without TLS."""
        return ssl.create_default_context(cafile=self.ca or None) if self.secure else None

    @contextlib.contextmanager
    def connection(self) -> Any:
        """Yield a connection of HTTP/1.1."""
        context = self.context()
        opened = (
            http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)
            if context is None
            else http.client.HTTPSConnection(self.host, self.port, timeout=TIMEOUT, context=context)
        )
        try:
            yield opened
        finally:
            opened.close()

    def ask(self, what: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """Ask one of the probes.

        Raises:
            OSError: nobody answers.
            http.client.HTTPException: what answers does not speak HTTP.
        """
        named = {"User-Agent": "channels-doctor", "Cookie": "channels_doctor=1", **headers}
        with self.connection() as connection:
            begun = time.time()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before
                connection.request(method, self.path(what), body, named)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read(65_536), begun, time.time())


def resolve(target: Target) -> list[str]:
    """Return the addresses of a host; raises OSError if there are none."""
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    return sorted({str(address[0]) for *_, address in found})
