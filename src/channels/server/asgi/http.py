"""One HTTP request: its body in, its response out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from channels import telemetry
from channels.protocols.events import RequestReceived
from channels.server.asgi.response import Response
from channels.server.asgi.scope import client_of, named_request, new_scope
from channels.server.asgi.stream import CONFLICT, Stream, logger, named
from channels.server.interfaces import Exchange
from channels.server.io.sendfile import FILES, opened
from channels.server.io.timer_wheel import NEVER
from channels.server.limits.bodies import announced_size
from channels.server.reports.targets import shown
from channels.server.runtime import Runtime
from channels.typing import Message

_BODY: dict[str, Callable[[Response, Message], bool]] = {
    "http.response.body": Response.body,
    "http.response.trailers": Response.trailers,
}
#: What most requests have, once for all of them: nothing is ever put into it.
_NO_BODY: deque[bytes] = deque(maxlen=0)
_KINDS = frozenset({"http.response.start", "http.response.early_hint", *_BODY, *FILES})


class HTTPStream(Stream):
    """A request and the run of the application that answers it.

    The body is handed on as it arrives, in parts of at most ``request_buffer_size``
    bytes; when twice as much waits unread, the connection is not read any more.

    Args:
        request: the head.
        runtime: what the process shares.
        exchange: the protocol that carries it.
    """

    __slots__ = (
        "_arrived",
        "_body_ended",
        "_body_told",
        "_chunks",
        "_continue_owed",
        "_exchange",
        "_gone",
        "_held",
        "_most",
        "_request",
        "_response",
        "_started_at",
        "_told_to_leave",
        "_waiting",
        "method",
    )

    def __init__(self, request: RequestReceived, runtime: Runtime, exchange: Exchange) -> None:
        self.method = request.method
        scope = new_scope(request, runtime, exchange, self)
        # path_of(), written out: a call less for each request, row "page".
        path = scope["raw_path"].decode("ascii", "replace").replace('"', "%22")
        label = f"{self.method} {path}"
        self._response = Response(
            runtime,
            exchange,
            "http.response",
            head_only=self.method == "HEAD",
            label=label,
            trailers="http.response.trailers" in scope["extensions"],
        )
        super().__init__(runtime, label, scope, exchange)
        self._exchange = exchange
        self._chunks = _NO_BODY if request.ended else deque()
        self._waiting = 0
        self._arrived = 0
        self._most = runtime.config.max_body_size
        self._held = False
        self._gone = False
        self._told_to_leave = False
        self._body_ended = request.ended
        self._body_told = False
        self._continue_owed = request.expects_continue
        self._started_at = time.monotonic()
        runtime.requests += 1
        self._request = request

    # From the protocol

    def body_received(self, data: bytes) -> None:
        """A part of the body arrived."""
        self._continue_owed = False
        self._arrived += len(data)
        if self._arrived > self._most > 0:
            if not self._told_to_leave:
                self.fail(413, body_too_large(self._most))
            return
        if self._arrived > self.runtime.config.request_buffer_size and not self._is_held_in_bounds():
            return
        self._chunks.append(data)
        self._waiting += len(data)
        if self._waiting >= 2 * self.runtime.config.request_buffer_size:
            self._held = True
            self._exchange.hold_body()
        self.announce()

    def _is_held_in_bounds(self) -> bool:
        """Count what the application holds of the body, once that is more than fits into one part."""
        more = self._arrived - self._counted
        reason = "" if self._gone else self.runtime.bodies.take(self._client, more)
        if reason is None:
            self._counted = self._arrived
        elif reason:
            telemetry.count("server.body_refused", reason=reason, client=named(self._client))
            self.fail(503, "Too many large request bodies at the same time.")
        return reason is None

    def body_ended(self) -> None:
        """The body is complete."""
        self._body_ended = True
        self.announce()

    def peer_finished(self) -> None:
        """The peer will send no more. Most that do so are gone, some still read the answer."""
        if self._told_to_leave:
            return
        self._told_to_leave = True
        if not self._response.complete:
            self.expect_return()
        self.announce()

    def peer_left(self) -> None:
        """The peer is gone before it had its response; the application has a while to notice."""
        if not self._gone:
            self._gone = True
            self.peer_finished()

    def fail(self, status: int, text: str) -> None:
        """Answer in the application's place, or break off what it had begun; then it is over.

        Args:
            status: the HTTP status.
            text: one sentence for the peer.
        """
        if self._gone or self._response.complete:
            return
        if self._response.refuse(status, text):
            self._log()
            self._tell()
        self._gone = self._told_to_leave = True
        self.expect_return()  # also after an answer: it was not the application's
        self.announce()

    def body_timed_out(self) -> None:
        """The peer has not sent the body within ``body_timeout``."""
        telemetry.count("server.slow_sender", reason="body")
        self.fail(408, "The request's body did not arrive in time.")

    def timed_out(self) -> None:
        """The application has not answered within ``http_timeout``."""
        telemetry.count("server.http_timeout", label=self.label)
        limit = self.runtime.config.http_timeout
        logger.warning("The application did not answer within %s s (--http-timeout): %s", limit, self.label)
        self.fail(503, "The application did not answer in time.")

    # For the application

    def receive_nowait(self) -> Message | None:
        """Take the next part of the body, then the disconnect; None if neither has come yet."""
        if self._chunks:
            return self._next_part()
        if self._body_ended and not self._body_told:
            self._body_told = True
            return {"type": "http.request", "body": b"", "more_body": False}
        if self._told_to_leave or self._response.complete:
            return {"type": "http.disconnect"}
        if self._continue_owed:
            self._continue_owed = False
            self._exchange.send_informational(100, [])
        return None

    def _received_twice(self) -> None:
        """Tell of two calls that share the body out; frameworks listen for the disconnect beside each other.

        It is no error: who streams a response to a request whose body nobody reads, and asks now and then
        whether its client has left, does so while the framework listens for the same.
        """
        if not self._body_told and not self._told_to_leave and not self._response.complete:
            telemetry.count("server.concurrent_receive", label=self.label)
            self.runtime.warn_rarely("receive", CONFLICT, self.label)

    def _next_part(self) -> Message:
        limit = self.runtime.config.request_buffer_size
        if self._leave_by != NEVER:  # asked for each part of a body, so without a call
            self.progressed()
        chunks, body = self._chunks, self._chunks.popleft()
        if chunks or len(body) > limit:
            body = self._join(body, limit)
        self._waiting -= len(body)
        self._body_told = self._body_ended and not chunks
        if self._held and self._waiting < limit:
            self._held = False
            self._exchange.release_body()
            self._body_told = self._body_ended and not chunks
        return {"type": "http.request", "body": body, "more_body": not self._body_told}

    def _join(self, body: bytes, limit: int) -> bytes:
        """Fill ``body`` up to ``limit`` from what waits behind it; what is too much waits on."""
        parts, size = [body], len(body)
        while self._chunks and size < limit:
            parts.append(self._chunks.popleft())
            size += len(parts[-1])
        joined = b"".join(parts)
        if size > limit:
            self._chunks.appendleft(joined[limit:])
        return joined[:limit]

    async def send(self, message: Message) -> None:
        """Take a message of the application; waits while the peer does not read.

        Raises:
            ValueError: it is out of turn, or of an unknown type.
            TypeError: it holds something of the wrong type.
            OSError: a file that it names cannot be read.
        """
        kind = message.get("type")
        if kind not in _KINDS:
            raise ValueError(
                f"Cannot handle message type {kind}! An HTTP response is http.response.start, "
                "then http.response.body."
            )
        if self._gone:
            self.late(message)
        elif kind == "http.response.start":
            self._response.start(message)
        elif kind == "http.response.early_hint":
            self._response.hint(message)
        elif await self._send_file(message) if kind in FILES else _BODY[kind](self._response, message):
            if self.runtime.config.action_logger is not None:  # two calls less, rows "page" and "http2"
                self._log()
            if telemetry.listeners:
                self._tell()
            self.announce()
        elif self._exchange.congested:
            await self._exchange.wait_writable()

    async def _send_file(self, message: Message) -> bool:
        """Send a file as a part of the body; returns whether the response is complete now."""
        last = not message.get("more_body", False)
        with opened(message) as part:
            part.count = self._response.begin_file(message["type"], part.count, last=last)
            if part.count:
                await self._exchange.send_file(part)
        return not self._exchange.gone and self._response.end_file(last=last)

    def application_failed(self) -> None:
        """The application raised: answer 500, or break off the response so that the peer sees it."""
        self.fail(500, "The server could not answer this request.")

    def application_returned(self) -> None:
        """The application returned: without a whole response it has made a mistake, which is logged."""
        if self._gone or self._response.complete:
            return
        if not self._told_to_leave:  # else it did what the disconnect asked it to
            begun = "in the middle of its response" if self._response.on_wire else "without a response"
            logger.error("The application returned %s: %s", begun, self.label)
        self.application_failed()

    def _log(self) -> None:
        self.runtime.log("http", "complete", self._details)

    def _tell(self) -> None:
        taken = time.monotonic() - self._started_at
        telemetry.emit(
            "server.request_finished", method=self.method, status=self._response.status, seconds=taken
        )

    def _details(self) -> dict[str, Any]:
        taken = time.monotonic() - self._started_at
        return log_details(self._request, self.runtime, self._client, self._response, taken)


def refuse_large_body(request: RequestReceived, runtime: Runtime, exchange: Exchange) -> bool:
    """Answer 413 to a request whose Content-Length is beyond ``max_body_size``, before its body is read.

    A client that expects "100 Continue" gets the 413 in its place (RFC 9110 section 10.1.1).

    Args:
        request: the head of a request whose body follows.
        runtime: what the process shares.
        exchange: the protocol that carries it.

    Returns:
        Whether it was refused; no application is called for it then.
    """
    most = runtime.config.max_body_size
    if most <= 0 or announced_size(request.headers) <= most:
        return False
    response = Response(runtime, exchange, "http.response", head_only=request.method == "HEAD")
    response.refuse(413, body_too_large(most))
    client = client_of(request, runtime, exchange)
    runtime.log("http", "complete", lambda: log_details(request, runtime, client, response, 0.0))
    return True


def body_too_large(most: int) -> str:
    """Count a body of more than ``most`` bytes, and return what its sender is told."""
    telemetry.count("server.bad_request", status=413, reason="body size")
    return f"The body of a request may have {most} bytes."


def log_details(
    request: RequestReceived, runtime: Runtime, client: list[Any] | None, response: Response, taken: float
) -> dict[str, Any]:
    """Return what the access log says of a request that was answered ``taken`` seconds after its head."""
    return {
        "client": named(client),
        "path": shown(request.target.decode("ascii", "replace"), runtime.config),
        "method": request.method,
        "status": response.status,
        "size": response.size,
        "time_taken": taken,
        **named_request(request, runtime.config),
    }
