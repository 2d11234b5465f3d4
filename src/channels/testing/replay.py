"""Replaying what was recorded, as a test: a connection against an application or a server, or a topic.

``manage.py realtime record`` and the inspector record. A test case is three lines::

    async def test_the_order_of_last_monday():
        replayed = await replay(Path("monday.jsonl"), application)
        replayed.require_same()
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from channels.diagnostics.recording import MASKED, Frame, Recording
from channels.testing.websocket import WebsocketCommunicator
from channels.topics.actions import apublish_many
from channels.typing import ASGIApp

# Tracebacks of pytest leave these frames out.
__tracebackhide__ = True

#: Keys of JSON whose values are others each time: they are not compared.
CHANGING: Final = ("client", "session", "epoch", "offset", "time", "ttl", "version", "node")


@dataclass(slots=True)
class Replayed:
    """What came of a replay.

    Attributes:
        received: what the application has sent, in order.
        differences: in words, one for each message that was recorded and did not come so.
    """

    received: list[str | bytes] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def require_same(self) -> None:
        """Raise AssertionError with the first ten differences, if there are any."""
        __tracebackhide__ = True
        if self.differences:
            raise AssertionError("The replay differs:\n" + "\n".join(self.differences[:10]))


class _Client(Protocol):
    """What sends and receives."""

    async def send(self, data: str | bytes) -> None:
        """Send a message."""

    async def receive(self) -> str | bytes:
        """Return the next message."""
        ...


async def replay(
    recording: Recording | Path,
    target: ASGIApp | str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    ignore: Iterable[str] = CHANGING,
    wait: float = 5.0,
) -> Replayed:
    """Send what a client has sent, and compare what it is sent with what was recorded.

    After each message of the client as many messages are awaited as had followed it then. What is masked in
    the recording is sent as ``***``, and anything is taken for it.

    Args:
        recording: of a connection, or its file.
        target: an ASGI application, or the address of a server: ``ws://127.0.0.1:8000``.
        headers: of the handshake, such as a cookie.
        ignore: keys of JSON that are not compared.
        wait: seconds for each message to come.

    Raises:
        RecordingError: the file is no recording.
        AssertionError: the connection was refused.
    """
    found = _loaded(recording)
    replayed = Replayed()
    async with _connected(target, found, headers) as client:
        for number, frame in enumerate(found.frames, 1):
            if frame.direction == "in":
                await client.send(frame.data)
            else:
                await _expect(client, number, frame, set(ignore), wait, replayed)
    return replayed


async def replay_topic(recording: Recording | Path, topic: str = "") -> int:
    """Publish what was recorded of a topic, in order; returns how many publications that are.

    Args:
        recording: of a topic, or its file.
        topic: where to; "": where they were recorded.
    """
    found = _loaded(recording)
    for frame in found.frames:
        await apublish_many([topic or found.name], json.loads(frame.data))
    return len(found.frames)


def _loaded(recording: Recording | Path) -> Recording:
    return Recording.loads(recording.read_text()) if isinstance(recording, Path) else recording


async def _expect(
    client: _Client, number: int, frame: Frame, ignore: set[str], wait: float, replayed: Replayed
) -> None:
    try:
        async with asyncio.timeout(wait):
            received = await client.receive()
    except TimeoutError:
        replayed.differences.append(f"Message {number} did not come within {wait} s: {frame.data!r:.200}")
        return
    replayed.received.append(received)
    if not _alike(_value(frame.data), _value(received), ignore):
        replayed.differences.append(f"Message {number} was {frame.data!r:.200}\n  and is {received!r:.200}")


def _value(data: str | bytes) -> Any:
    """Return a message as it is compared: JSON as its value, bytes by their number, as they are masked."""
    if isinstance(data, bytes):
        return len(data)
    try:
        return [json.loads(line) for line in data.split("\n") if line]
    except ValueError:
        return data


def _alike(recorded: Any, received: Any, ignore: set[str]) -> bool:
    if isinstance(recorded, dict) and isinstance(received, dict):
        known, come = recorded.keys() - ignore, received.keys() - ignore
        return known == come and all(_alike(recorded[key], received[key], ignore) for key in known)
    if isinstance(recorded, list) and isinstance(received, list):
        pairs = zip(recorded, received, strict=False)
        return len(recorded) == len(received) and all(_alike(*pair, ignore) for pair in pairs)
    if isinstance(recorded, str) and MASKED in recorded and isinstance(received, str):
        return _fits(recorded.split(MASKED), received)
    return bool(recorded == received) or recorded == MASKED


def _fits(parts: list[str], text: str) -> bool:
    """Whether ``text`` has these parts in order, with anything between them."""
    if not text.startswith(parts[0]) or not text.endswith(parts[-1]):
        return False
    at = len(parts[0])
    for part in parts[1:]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True


@contextlib.asynccontextmanager
async def _connected(
    target: ASGIApp | str, recording: Recording, headers: Iterable[tuple[str, str]]
) -> AsyncIterator[_Client]:
    if isinstance(target, str):
        from websockets.asyncio.client import connect  # only with a server

        address = target.rstrip("/") + recording.name
        offered: Any = recording.subprotocols or None
        async with connect(address, subprotocols=offered, additional_headers=list(headers)) as client:
            yield _OfServer(client)
        return
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    communicator = WebsocketCommunicator(target, recording.name, pairs, recording.subprotocols)
    accepted, code = await communicator.connect()
    assert accepted, f"The application refused {recording.name} with {code}."
    try:
        yield _OfApplication(communicator)
    finally:
        await communicator.disconnect()


class _OfServer:
    """Speaks with a server."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def send(self, data: str | bytes) -> None:
        await self._client.send(data)

    async def receive(self) -> str | bytes:
        received: str | bytes = await self._client.recv()
        return received


class _OfApplication:
    """Speaks with an application, without a server."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self._communicator = communicator

    async def send(self, data: str | bytes) -> None:
        if isinstance(data, str):
            await self._communicator.send_to(text_data=data)
        else:
            await self._communicator.send_to(bytes_data=data)

    async def receive(self) -> str | bytes:
        return await self._communicator.receive_from(timeout=None)
