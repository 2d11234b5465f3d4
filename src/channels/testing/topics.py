"""The communicator for a client of topics."""

# ruff: noqa: ASYNC109  (a timeout is a parameter here, as with the other communicators)

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from channels.core.private import PrivateField
from channels.exceptions import ChannelsError
from channels.testing.websocket import WebsocketCommunicator
from channels.typing import ASGIApp

# Tracebacks of pytest, and those in the log of the server, leave these frames out.
__tracebackhide__ = True


class TopicsError(ChannelsError):
    """The reply to a command is an error.

    Args:
        code: the protocol's, or the application's.
        message: for people.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class TopicsCommunicator:
    """A client of topics: it connects, subscribes, publishes, calls, and takes what is pushed.

    Args:
        application: the project's ASGI application, or one for WebSockets alone.
        user: put into the scope, as AuthMiddleware would; None: whoever the headers say.
        path: of the WebSocket.
        headers: pairs of bytes, a cookie or an Origin for example.

    Attributes:
        socket: the communicator underneath.
        client: the client's id, once it has connected.
    """

    def __init__(
        self,
        application: ASGIApp,
        user: Any = None,
        path: str = "/connection/websocket",
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        self.socket = WebsocketCommunicator(application, path, headers)
        if user is not None:
            self.socket.scope["user"] = user
        self.client = ""
        _replies.set(self, _Replies())

    async def connect(self, **request: Any) -> dict[str, Any]:
        """Open the WebSocket and connect; returns the protocol's ConnectResult.

        Args:
            request: fields of the protocol's ConnectRequest, such as ``token``.

        Raises:
            TopicsError: the server has refused it.
        """
        connected, _ = await self.socket.connect()
        if not connected:
            raise TopicsError(403, "the handshake was refused")
        result = await self.command("connect", **request)
        self.client = result["client"]
        return result

    async def subscribe(self, topic: object, **request: Any) -> dict[str, Any]:
        """Subscribe to a topic, itself or its name.

        Args:
            topic: the topic, or its name.
            request: fields of the protocol's SubscribeRequest, such as ``recover``, ``offset`` and ``epoch``.

        Returns:
            The protocol's SubscribeResult. Its ``publications`` are what was recovered, or is in the cache.

        Raises:
            TopicsError: the server has refused it.
        """
        return await self.command("subscribe", channel=str(topic), **request)

    async def unsubscribe(self, topic: object) -> None:
        """End a subscription."""
        await self.command("unsubscribe", channel=str(topic))

    async def publish(self, topic: object, data: Any) -> None:
        """Publish to a topic."""
        await self.command("publish", channel=str(topic), data=data)

    async def rpc(self, method: str, data: Any = None) -> Any:
        """Call a function, or a topic's method as ``topic/method``; returns what it does."""
        return (await self.command("rpc", method=method, data=data)).get("data")

    async def command(self, name: str, **request: Any) -> dict[str, Any]:
        """Send any command of the protocol and return its result.

        Raises:
            TopicsError: the reply is an error.
        """
        replies = _replies.get(self)
        replies.number += 1
        given = {key: value for key, value in request.items() if value is not None}
        await self.socket.send_to(text_data=json.dumps({"id": replies.number, name: given}))
        while (reply := await replies.next_of(self.socket, 1.0)).get("id") != replies.number:
            replies.pushes.append(reply["push"])
        if "error" in reply:
            raise TopicsError(reply["error"]["code"], reply["error"]["message"])
        result: dict[str, Any] = reply.get(name) or {}
        return result

    async def receive_push(self, timeout: float = 1.0) -> dict[str, Any]:
        """Return the next push of the protocol.

        Raises:
            TimeoutError: none has come within ``timeout`` seconds.
        """
        replies = _replies.get(self)
        if replies.pushes:
            return replies.pushes.pop(0)
        push: dict[str, Any] = (await replies.next_of(self.socket, timeout))["push"]
        return push

    async def receive_publication(self, timeout: float = 1.0) -> Any:
        """Return the data of the next publication; other pushes before it are passed over."""
        while "pub" not in (push := await self.receive_push(timeout)):
            pass
        return push["pub"]["data"]

    async def disconnect(self) -> None:
        """Close the WebSocket."""
        await self.socket.disconnect()


class _Replies:
    """What has come from the server and was not taken yet: no machinery under names of users' subclasses.

    Attributes:
        number: of the last command.
        pushes: that came while a reply was waited for.
    """

    def __init__(self) -> None:
        self.number = 0
        self.pushes: list[dict[str, Any]] = []
        self._lines: list[dict[str, Any]] = []

    async def next_of(self, socket: WebsocketCommunicator, timeout: float) -> dict[str, Any]:
        """Return the next reply or push; answers pings."""
        while not self._lines:
            frame = await socket.receive_from(timeout)
            assert isinstance(frame, str)  # JSON
            for line in frame.split("\n"):  # splitlines() would split texts at U+2028, too
                if reply := json.loads(line):
                    self._lines.append(reply)
                else:
                    await socket.send_to(text_data="{}")
        return self._lines.pop(0)


_replies: PrivateField[_Replies] = PrivateField("replies", _Replies())
