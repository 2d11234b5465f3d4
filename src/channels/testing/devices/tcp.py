"""The communicator for one TCP connection."""

# ruff: noqa: ASYNC109  (the parameter `timeout` is part of the public interface)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from channels.core.private import PrivateField
from channels.protocols.framing.framings import new_framing
from channels.protocols.framing.interfaces import Framing
from channels.testing.application import ApplicationCommunicator, expect
from channels.typing import ASGIApp

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True


#: How messages are told apart, and those that were not taken yet: under no name that a subclass could own.
_framings: PrivateField[Framing] = PrivateField("tcp framing", None)  # type: ignore[arg-type]
_messages: PrivateField[list[bytes]] = PrivateField("tcp messages read", [])


class TCPCommunicator(ApplicationCommunicator):
    """Holds one TCP connection with an application.

    ``connect()`` comes first; once it was accepted, send and receive, and end with ``disconnect()``.

    Args:
        application: the ASGI application under test.
        path: of the scope: the ``app`` of the endpoint, with a slash before it.
        framing: how messages are told apart, as a consumer names it; without one bytes go as they are.
        framing_options: the keyword arguments of the framing.
        client: the peer as [host, port].
        tls: ASGI's ``tls`` extension, such as ``{"client_cert_name": "CN=meter-7"}``; None in clear text.
    """

    def __init__(
        self,
        application: ASGIApp,
        path: str = "/",
        *,
        framing: str | Callable[..., Framing] = "raw",
        framing_options: dict[str, Any] | None = None,
        client: list[Any] | None = None,
        tls: dict[str, Any] | None = None,
    ) -> None:
        extensions = {} if tls is None else {"tls": tls}
        scope = {"type": "tcp", "path": path, "client": client, "server": None, "extensions": extensions}
        super().__init__(application, scope)
        _framings.set(self, new_framing(framing, framing_options or {}))
        _messages.set(self, [])

    async def connect(self, timeout: float | None = 1) -> bool:
        """Open the connection; returns whether it was accepted.

        Args:
            timeout: seconds to wait for the answer; None waits without end.

        Raises:
            TimeoutError: no answer in time; the application has been cancelled.
        """
        await self.send_input({"type": "tcp.connect"})
        answer = await expect(self, ("tcp.accept", "tcp.close"), timeout)
        return bool(answer["type"] == "tcp.accept")

    async def send_to(self, message: bytes) -> None:
        """Send one message; without a framing some bytes."""
        await self.send_input({"type": "tcp.receive", "data": _framings.get(self).pack(message)})

    async def receive_from(self, timeout: float | None = 1) -> bytes:
        """Return the next message; without a framing the bytes that were sent at once.

        Args:
            timeout: seconds to wait for bytes; None waits without end.

        Raises:
            TimeoutError: nothing in time; the application has been cancelled.
            AssertionError: the application closed.
        """
        messages = _messages.get(self)
        while not messages:
            sent = await expect(self, ("tcp.send",), timeout)
            messages += _framings.get(self).feed(sent["data"])
        return messages.pop(0)

    async def receive_close(self, timeout: float | None = 1) -> None:
        """Wait until the application closes; raises AssertionError if it sends instead.

        Args:
            timeout: seconds to wait; None waits without end.
        """
        await expect(self, ("tcp.close",), timeout)

    async def send_eof(self) -> None:
        """Send nothing more, and go on to receive."""
        await self.send_input({"type": "tcp.eof"})

    async def drain(self, seconds: float = 2.0) -> None:
        """Tell the application that the server stops, and closes in ``seconds``."""
        await self.send_input({"type": "tcp.drain", "seconds": seconds})

    async def disconnect(self, reason: str = "lost", timeout: float | None = 1) -> None:
        """End the connection and wait for the application to end.

        Args:
            reason: what the application is told.
            timeout: seconds after which it is cancelled, which is no error; None waits without end.
        """
        await self.send_input({"type": "tcp.disconnect", "reason": reason})
        await self.wait(timeout)
