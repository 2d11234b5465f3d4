"""How a request or a WebSocket that nobody will serve is answered on the wire."""

from __future__ import annotations

from channels.typing import Receive, Scope, Send


async def refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
    """Answer with an HTTP status, before anything else was sent.

    A WebSocket gets it as a denial response (ASGI extension ``websocket.http.response``)
    where the server has that; elsewhere it is closed with the code ``4000 + status``, of
    which servers make a 403.

    Args:
        scope: of type "http" or "websocket".
        receive: the application's; the opening message of a WebSocket is taken from it.
        send: the application's.
        status: 400 to 599.
        text: a short plain text for the body.
    """
    if scope["type"] == "http":
        await _respond(send, "http.response", status, text)
        return
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        await _respond(send, "websocket.http.response", status, text)
    else:
        await send({"type": "websocket.close", "code": 4000 + status})


async def _respond(send: Send, prefix: str, status: int, text: str) -> None:
    body = text.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": f"{prefix}.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}.body", "body": body})
