"""Refusing a request, a WebSocket or a TCP connection: an HTTP status, a denial response, a close."""

from __future__ import annotations

import logging

from channels.exceptions import ThreadPoolExhausted
from channels.typing import Headers, Receive, Scope, Send

logger = logging.getLogger("channels.threads")

#: Seconds after which a client that was refused for want of threads may try again (RFC 9110 section 10.2.3).
RETRY_AFTER = 10


async def refuse(
    scope: Scope, receive: Receive, send: Send, status: int, text: str, headers: Headers | None = None
) -> None:
    """Answer with an HTTP status, before anything else was sent.

    A WebSocket gets it as a denial response (ASGI extension ``websocket.http.response``)
    where the server has that; elsewhere it is closed with the code ``4000 + status``, of
    which servers make a 403. TCP knows no status: the connection is closed.

    Args:
        scope: of type "http", "websocket" or "tcp".
        receive: the application's; the opening message of a connection is taken from it.
        send: the application's.
        status: 400 to 599.
        text: a short plain text for the body.
        headers: more fields of the response.
    """
    if scope["type"] == "http":
        await _respond(send, "http.response", status, text, headers)
        return
    await receive()
    if scope["type"] == "tcp":
        await send({"type": "tcp.close"})
    elif "websocket.http.response" in scope.get("extensions", {}):
        await _respond(send, "websocket.http.response", status, text, headers)
    else:
        await send({"type": "websocket.close", "code": 4000 + status})


async def refuse_busy(scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
    """Answer a request for which no thread is to be had with 503.

    Args:
        scope: of the request.
        receive: the application's.
        send: the application's.
        error: what was raised for it, before anything was sent.
    """
    logger.warning("http answered with 503. %s", error)
    retry = [(b"retry-after", b"%d" % RETRY_AFTER)]
    await refuse(scope, receive, send, 503, "The server is busy. Try again soon.", retry)


def means_busy(error: Exception) -> bool:
    """Whether it is for want of threads; some versions of Django collect what receivers of signals raise."""
    if isinstance(error, ExceptionGroup):
        return error.subgroup(ThreadPoolExhausted) is not None
    return isinstance(error, ThreadPoolExhausted)


async def _respond(send: Send, prefix: str, status: int, text: str, more: Headers | None) -> None:
    body = text.encode()
    headers = [
        *(more or ()),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": f"{prefix}.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}.body", "body": body})
