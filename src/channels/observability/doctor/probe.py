"""What answers the doctor behind the public address: an application in front of the application.

::

    application = with_doctor(ProtocolTypeRouter({...}))

It answers below ``/channels-doctor/``, and only whoever has signed the path with the project's SECRET_KEY
within the last ten minutes; everybody else gets what the application says to that path.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.http.request import validate_host

from channels.typing import ASGIApp, Headers, Message, Receive, Scope, Send

PREFIX: Final = "/channels-doctor/"
#: Seconds for which a signature holds.
LIFETIME: Final = 600
_SALT: Final = "channels.observability.doctor"
#: Events of the stream, and seconds between two.
EVENTS: Final = 4
PAUSE: Final = 0.2
#: The group by which sockets of two processes hear each other; a name follows.
GROUP: Final = "channels.doctor."
#: What of a request is told.
_TOLD: Final = (
    "host",
    "origin",
    "upgrade",
    "connection",
    "via",
    "x-forwarded-for",
    "x-forwarded-proto",
    "forwarded",
)


def path_for(what: str) -> str:
    """Return the signed path of one of :data:`_HTTP`, or of ``socket``; it holds for ten minutes."""
    return f"{PREFIX}{signing.dumps(what, salt=_SALT)}/{what}"


def with_doctor(app: ASGIApp) -> ASGIApp:
    """Return the application with what answers ``manage.py doctor --url`` in front of it.

    Args:
        app: answers everything else.
    """

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        what = _asked(scope)
        if what is None:
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await _socket(scope, receive, send)
        else:
            await _HTTP.get(what, _see)(scope, receive, send)

    return application


def _asked(scope: Scope) -> str | None:
    """Return what a request of the doctor asks for; None for every other request."""
    path = scope.get("path", "")
    root = scope.get("root_path", "")
    path = path.removeprefix(root) if root else path
    if scope["type"] not in ("http", "websocket") or not path.startswith(PREFIX):
        return None
    signature, _, what = path.removeprefix(PREFIX).rpartition("/")
    try:
        signed = signing.loads(signature, salt=_SALT, max_age=LIFETIME)
    except signing.BadSignature:
        return None
    return what if signed == what else None


def _seen(scope: Scope) -> dict[str, Any]:
    """Return how a request has arrived."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    host = headers.get("host", "")
    return {
        "type": scope["type"],
        "http_version": scope.get("http_version"),
        "scheme": scope.get("scheme"),
        "client": list(scope["client"]) if scope.get("client") else None,
        "headers": {name: headers[name] for name in _TOLD if name in headers},
        "cookie": "channels_doctor=1" in headers.get("cookie", ""),
        "host_allowed": validate_host(_without_port(host), _allowed_hosts()),
        "worker": f"{os.uname().nodename}:{os.getpid()}" if hasattr(os, "uname") else str(os.getpid()),
        "time": time.time(),
    }


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host


def _allowed_hosts() -> list[str]:
    return list(settings.ALLOWED_HOSTS) or ["localhost", "127.0.0.1", "[::1]"]


async def _see(scope: Scope, receive: Receive, send: Send) -> None:
    await _answer(send, _seen(scope))


async def _body(scope: Scope, receive: Receive, send: Send) -> None:
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    await _answer(send, {"received": size})


async def _events(scope: Scope, receive: Receive, send: Send) -> None:
    """Send events, each with the time at which it was sent, as the streams of topics send theirs."""
    headers = [
        (b"content-type", b"text/event-stream"),
        (b"x-accel-buffering", b"no"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(EVENTS):
        body = f"data: {time.time()!r}\n\n".encode()
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await asyncio.sleep(PAUSE)
    await send({"type": "http.response.body", "body": b""})


async def _answer(send: Send, found: dict[str, Any]) -> None:
    body = json.dumps(found).encode()
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_HTTP: Final[dict[str, Callable[[Scope, Receive, Send], Awaitable[None]]]] = {
    "see": _see,
    "body": _body,
    "events": _events,
}


async def _socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept, say how the request has arrived, and send back what comes, until the peer closes."""
    listening: list[asyncio.Task[None]] = []
    try:
        while (message := await receive())["type"] != "websocket.disconnect":
            if message["type"] == "websocket.connect":
                await send({"type": "websocket.accept"})
                await send({"type": "websocket.send", "text": json.dumps(_seen(scope))})
            elif (message.get("text") or "").startswith("join "):
                listening.append(asyncio.ensure_future(_listen(_group(message), send)))
            elif (message.get("text") or "").startswith("tell "):
                await _tell(_group(message))
            else:
                await send({"type": "websocket.send", **_content(message)})
    finally:
        for task in listening:
            task.cancel()


def _content(message: Message) -> dict[str, Any]:
    return {key: message[key] for key in ("text", "bytes") if message.get(key) is not None}


def _group(message: Message) -> str:
    return GROUP + "".join(char for char in message["text"][5:40] if char.isalnum())


async def _listen(group: str, send: Send) -> None:
    from channels.layers.manager import get_channel_layer

    layer = get_channel_layer()
    if layer is None:
        await send({"type": "websocket.send", "text": "no layer"})
        return
    channel = await layer.new_channel()
    await layer.group_add(group, channel)
    try:
        await send({"type": "websocket.send", "text": "joined"})
        await layer.receive(channel)
        await send({"type": "websocket.send", "text": "heard"})
    finally:
        await layer.group_discard(group, channel)


async def _tell(group: str) -> None:
    from channels.layers.manager import get_channel_layer

    layer = get_channel_layer()
    if layer is not None:
        await layer.group_send(group, {"type": "doctor.told"})
