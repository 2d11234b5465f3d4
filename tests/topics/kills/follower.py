"""Clients that come back, and note what they got and what they were told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from typing import Any, Final

import centrifuge
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from tests.layers.size import size

TOPIC: Final = "numbers"
#: Seconds for anything.
PATIENCE: Final = float(size(40, 300))


class Account:
    """What one client got, and when it was told that something is lost.

    Attributes:
        got: numbers in the order in which they came; None where it was told that some are missing.
        connects: how often it was connected.
        unrecovered: how often it was told that what it missed is lost.
        next: the number that it waits for; None where it does not know.
        subscribed: it was, for the first time.
        ended: it has got the end.
    """

    def __init__(self) -> None:
        self.got: list[int | None] = []
        self.connects = self.unrecovered = 0
        self.next: int | None = 0
        self.subscribed, self.ended = asyncio.Event(), asyncio.Event()

    def begins(self, was_recovering: bool, recovered: bool) -> None:
        """Note how a subscription began."""
        self.connects += 1
        if was_recovering and not recovered:
            self.unrecovered += 1
            self.got.append(None)
            self.next = None
        self.subscribed.set()

    def takes(self, data: Any) -> None:
        """Note a publication."""
        if data == "end":
            self.ended.set()
        else:
            self.got.append(data)
            self.next = data + 1

    def check(self, amount: int) -> None:
        """Find what came twice or in the wrong order, and what is missing though the client was not told."""
        expected = 0
        told = False
        for number in self.got:
            if number is None:
                told = True
                continue
            assert number == expected or (told and number > expected), f"{number} came in {expected}'s place."
            expected, told = number + 1, False
        assert told or expected == amount, f"{expected} to {amount - 1} are missing."


class Follower(Account):
    """A light client: JSON, all commands in one frame, a moment's pause before it comes back."""

    def __init__(self) -> None:
        super().__init__()
        self._position: dict[str, Any] = {}

    async def follow(self, port: int) -> None:
        """Be connected until the end has come."""
        while not self.ended.is_set():
            with contextlib.suppress(OSError, InvalidHandshake, WebSocketException, TimeoutError, EOFError):
                async with websocket_connect(
                    f"ws://127.0.0.1:{port}/connection/websocket", compression=None, proxy=None
                ) as socket:
                    await self._talk(socket)
            await asyncio.sleep(random.uniform(0.02, 0.2))

    async def _talk(self, socket: ClientConnection) -> None:
        subscribe = {"channel": TOPIC, "recoverable": True, **self._position}
        await socket.send(f'{{"id":1,"connect":{{}}}}\n{_command(2, subscribe)}')
        async for frame in socket:
            for line in str(frame).splitlines():
                if (again := self._take(json.loads(line))) is not None:
                    await socket.send(again)
            if self.ended.is_set():
                return

    def _take(self, reply: dict[str, Any]) -> str | None:
        """Take a reply or a push; returns what is to be sent."""
        push = reply.get("push", {})
        if "pub" in push:
            self._publication(push["pub"])
        elif "subscribe" in reply:
            self._begin(reply["subscribe"])
        elif "unsubscribe" in push:
            assert push["unsubscribe"]["code"] >= 2500  # it is to subscribe again
            return _command(2, {"channel": TOPIC, "recoverable": True, **self._position})
        elif "error" in reply:
            assert reply["error"]["temporary"], reply
            return _command(2, {"channel": TOPIC, "recoverable": True, **self._position})
        elif not reply:
            return "{}"
        return None

    def _begin(self, result: dict[str, Any]) -> None:
        self.begins(result.get("was_recovering", False), result.get("recovered", False))
        offset = result.get("offset", 0)
        self._position = {"recover": True, "offset": offset, "epoch": result["epoch"]}
        for publication in result.get("publications", ()):
            self._publication(publication)

    def _publication(self, publication: dict[str, Any]) -> None:
        self._position["offset"] = publication["offset"]
        self.takes(publication["data"])


def _command(number: int, subscribe: dict[str, Any]) -> str:
    return json.dumps({"id": number, "subscribe": subscribe})


class SDK(Account, centrifuge.SubscriptionEventHandler):
    """centrifuge-python, which comes back by itself."""

    async def on_subscribed(self, ctx: Any) -> None:
        self.begins(ctx.was_recovering, ctx.recovered)

    async def on_publication(self, ctx: Any) -> None:
        data = ctx.pub.data
        self.takes(json.loads(data) if isinstance(data, bytes) else data)

    async def follow(self, port: int, protobuf: bool) -> None:
        """Be connected until the end has come."""
        address = f"ws://127.0.0.1:{port}/connection/websocket"
        client = centrifuge.Client(address, use_protobuf=protobuf, max_reconnect_delay=0.5, proxy=None)
        await client.connect()
        await client.new_subscription(
            TOPIC, events=self, recoverable=True, max_resubscribe_delay=0.5
        ).subscribe()
        await self.ended.wait()
        await client.disconnect()
