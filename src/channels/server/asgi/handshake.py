"""The handshake of a WebSocket, from the request to its answer; an open WebSocket keeps none of it."""

from __future__ import annotations

from channels import telemetry
from channels.protocols.events import Handshake
from channels.protocols.http.fields import ResponseFields
from channels.protocols.http.upgrade import HandshakeRejected
from channels.protocols.websocket.handshake import accept_headers, accept_value
from channels.server.asgi.response import Response, checked_headers
from channels.server.asgi.stream import logger
from channels.server.interfaces import Exchange
from channels.server.reports.targets import path_of
from channels.server.runtime import Runtime
from channels.typing import Headers, Message

_NO_MORE = ResponseFields()


class PendingHandshake:
    """A handshake that waits for its answer.

    Args:
        handshake: what the opening request asks for.
        runtime: what the process shares.
        exchange: answers the opening request.

    Attributes:
        exchange: see above.
        refusal_logged: the application, or what guards it, has logged why it refuses.
        deflate: what an open WebSocket would compress its messages by; None for not at all.
    """

    __slots__ = ("_handshake", "_response", "_runtime", "deflate", "exchange", "refusal_logged")

    def __init__(self, handshake: Handshake, runtime: Runtime, exchange: Exchange) -> None:
        self._handshake = handshake
        self._runtime = runtime
        self.exchange = exchange
        self._response: Response | None = None
        self.refusal_logged = False
        self.deflate = runtime.agree_on_deflate(handshake)

    @property
    def response(self) -> Response:
        """The answer of an application that refuses, or of the server in its place."""
        if self._response is None:
            self._response = Response(
                self._runtime, self.exchange, "websocket.http.response", head_only=False
            )
        return self._response

    @property
    def status(self) -> int:
        """The status that refused the handshake; 0 while nothing has."""
        return 0 if self._response is None else self._response.status

    def answer(self, message: Message) -> tuple[Headers, ResponseFields, bytes]:
        """Return what answers the request as an application's accept asks for; see :meth:`Exchange.upgrade`.

        Raises:
            ValueError: the subprotocol is no token, or a header is one that the handshake sets.
            InvalidHeadersError: headers are not pairs of bytes.
        """
        given = message.get("headers")
        headers = checked_headers(given) if given else []
        agreed = accept_headers(message.get("subprotocol"), headers, self.deflate)
        own, key = self._runtime.own_fields(), self._handshake.key
        accept = accept_value(key) if key else b""
        if not headers:
            return agreed, own, accept
        rest = own.without({name.lower() for name, _ in headers})
        return [*agreed, *rest.headers], _NO_MORE, accept

    def refuse(self, status: int, text: str) -> None:
        """Answer in the application's place; what it has begun to answer is broken off."""
        self.response.refuse(status, text)


def handshake_rejected(target: bytes, error: HandshakeRejected) -> None:
    """Log and count an opening request for ``target`` that RFC 6455 section 4.2.1 does not allow."""
    logger.warning("WebSocket handshake refused: %s: %s", path_of(target), error.reason)
    telemetry.count("server.bad_handshake", status=error.status, reason=error.reason)


def handshake_refused(label: str, *, log: bool) -> None:
    """Count a handshake that the application closed instead of accepting it.

    Args:
        label: of the WebSocket.
        log: write a warning, too: the application has not logged the reason itself.
    """
    telemetry.count("server.handshake_refused", label=label)
    if not log:
        return
    logger.warning(
        "%s was refused with 403: the application closed it before it accepted it. Look at what "
        "connect() of the consumer, or a check of origin or login before it, says about this path.",
        label,
    )


def handshake_timed_out(label: str, limit: float | None) -> None:
    """Log and count a handshake that the application left unanswered for ``limit`` seconds."""
    telemetry.count("server.handshake_timeout", label=label)
    logger.warning(
        "%s was refused with 503: the application neither accepted nor closed it within %s s. "
        "Make connect() faster, or raise --websocket_connect_timeout.",
        label,
        limit,
    )
