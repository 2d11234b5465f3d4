"""The communicator for one HTTP request and its response."""

# ruff: noqa: ASYNC109  (the parameter `timeout` is part of the public interface)

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict

from channels.core.private import PrivateField
from channels.testing.application import ApplicationCommunicator, expect, split_path
from channels.typing import ASGIApp, Headers

if TYPE_CHECKING:
    from django.core.handlers.asgi import ASGIHandler

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True


class Response(TypedDict):
    """What an application answered: the status, the headers in their order and the whole body."""

    status: int
    headers: Headers
    body: bytes


#: Whether the request has been sent.
_requested: PrivateField[bool] = PrivateField("requested", False)


class HttpCommunicator(ApplicationCommunicator):
    """Sends one HTTP request to an application.

    Args:
        application: the ASGI application under test.
        method: the request method, in any case.
        path: the path, may be percent-encoded and carry a query.
        body: the whole request body.
        headers: pairs of bytes, handed on as they are.

    Raises:
        AssertionError: ``body`` is not bytes.
        TypeError: ``path`` is not a str.
    """

    def __init__(
        self,
        application: ASGIApp | ASGIHandler,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Iterable[tuple[bytes, bytes]] | None = None,
    ) -> None:
        if not isinstance(body, bytes):
            raise AssertionError(f"The body must be bytes, got {type(body).__name__}: encode it first.")
        text, query = split_path(path)
        self.body = body
        super().__init__(
            application,
            {
                "type": "http",
                "http_version": "1.1",
                "method": method.upper(),
                "path": text,
                "query_string": query,
                "headers": list(headers or ()),
            },
        )

    async def get_response(self, timeout: float | None = 1) -> Response:
        """Send the request, once, and return the whole response.

        Args:
            timeout: seconds to wait for each message of the response; None waits without end.

        Raises:
            TimeoutError: the application took longer; it has been cancelled.
            AssertionError: the application sent something that is no HTTP response.
        """
        if not _requested.get(self):
            _requested.set(self, True)
            await self.send_input({"type": "http.request", "body": self.body})
        start = await expect(self, ("http.response.start",), timeout)
        body = [b""]
        more = True
        while more:
            chunk = await expect(self, ("http.response.body",), timeout)
            body.append(chunk.get("body", b""))
            more = chunk.get("more_body", False)
        return {"status": start["status"], "headers": list(start.get("headers", ())), "body": b"".join(body)}
