"""All commands, each field of each of the wrong kind: an error or an end of the protocol, no traceback."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from channels.protocols.centrifuge.codes import DisconnectCode, ErrorCode
from channels.protocols.centrifuge.json_codec import JSON
from channels.protocols.centrifuge.messages import Command, ConnectRequest
from channels.protocols.centrifuge.protobuf import PROTOBUF
from channels.topics.session.commands import HANDLERS

WRONG: list[Any] = [None, True, -1, 2**70, "\x00", [[]], {"a": {"b": 1}}]
CONNECT = Command(id=1, connect=ConnectRequest())
REQUESTS: dict[str, Any] = {
    field.name: next(kind.cls for kind in field.type.types if isinstance(kind, msgspec.inspect.StructType))
    for field in msgspec.inspect.type_info(Command).fields  # type: ignore[attr-defined]  # of a Struct
    if field.name in HANDLERS
}


def malformed(name: str) -> Iterator[dict[str, Any]]:
    """Commands of a name in which one thing is wrong."""
    fields = REQUESTS[name].__struct_fields__
    sound = {"channel": "room:open"} if "channel" in fields else {}
    for value in WRONG:
        yield {"id": 2, name: value}
        for field in fields:
            yield {"id": 2, name: {**sound, field: value}}


def damaged(name: str) -> Iterator[bytes]:
    """A command in Protobuf that is cut off, or has another byte, at each place."""
    fields = REQUESTS[name].__struct_fields__
    request = REQUESTS[name](**({"channel": "room:open"} if "channel" in fields else {}))
    sound = PROTOBUF.encode_command(Command(id=2, **{name: request}))
    for place in range(len(sound)):
        yield sound[:place]
        for byte in (0x00, 0x7F, 0xFF):
            yield sound[:place] + bytes([byte]) + sound[place + 1 :]


class Clients:
    """One client after the other: a new one when the server has ended the one before."""

    def __init__(self, port: int, codec: Any) -> None:
        self._codec = codec
        self._url = f"ws://127.0.0.1:{port}/connection/websocket?format={codec.name}"
        self._socket: ClientConnection | None = None

    async def send(self, frame: Any, first: bool) -> tuple[str, int]:
        """Send a frame; returns what came of it: an error, the end, or neither, and its code."""
        if self._socket is None or first:
            await self.close()
            self._socket = await connect(self._url, compression=None, ping_interval=None)
        if not first:
            await self._socket.send(self._text(self._codec.encode_command(CONNECT)))
        try:
            await self._socket.send(frame)
            return await self._outcome(self._socket, until=None if first else 2)
        except ConnectionClosed:
            code = self._socket.close_code or 0
            return "end", code
        finally:
            await self.close()

    def _text(self, frame: bytes) -> Any:
        return frame if self._codec.binary else frame.decode()

    async def _outcome(self, socket: ClientConnection, until: int | None) -> tuple[str, int]:
        while True:
            received = await socket.recv()
            frame = received.encode() if isinstance(received, str) else received
            for reply in self._codec.decode_replies(frame):
                if until is None or reply.id == until:
                    return ("error", reply.error.code) if reply.error else ("result", 0)
                if reply.id not in (0, 1):
                    return "result", 0  # the number of the command was what was damaged

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
            self._socket = None


def is_of_the_protocol(outcome: tuple[str, int]) -> bool:
    kind, code = outcome
    return (kind == "result") or code in (list(ErrorCode) if kind == "error" else list(DisconnectCode))


@pytest.mark.parametrize("name", HANDLERS)
async def test_each_malformed_command_has_a_code(
    port: int, settings: Any, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    settings.CHANNELS_TOPICS = {"MAX_MESSAGE_SIZE": 1_000}
    caplog.set_level(logging.WARNING, logger="channels")
    for codec, frames in ((JSON, map(json.dumps, malformed(name))), (PROTOBUF, damaged(name))):
        clients = Clients(port, codec)
        for frame in frames:
            outcome = await clients.send(frame, first=name == "connect")
            assert is_of_the_protocol(outcome), (frame, outcome)
            assert outcome != ("error", ErrorCode.INTERNAL_SERVER_ERROR), frame
        await clients.close()
    assert [each for each in caplog.records if each.name.startswith("channels")] == []
