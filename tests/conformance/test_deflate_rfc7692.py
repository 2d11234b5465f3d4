"""permessage-deflate on the wire (RFC 7692): offers (7.1), the examples (7.2.3), violations, broadcasts."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.protocols.websocket import permessage_deflate as deflate
from tests.server.helpers import UPGRADE, Client, Running, close_frame, echo, eventually, frame, serve

BARE = "permessage-deflate"
LIMITED = f"{BARE}; client_max_window_bits"
OURS = "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"

#: What is offered: the answer without context takeover (ours by default), and with it.
OFFERS: dict[str, tuple[str, str]] = {
    "permessage-deflate": (BARE + OURS, f"{BARE}; server_max_window_bits=12"),
    "permessage-deflate; client_max_window_bits; server_max_window_bits=10": (
        f"{BARE}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10;"
        " client_max_window_bits=12",
        f"{BARE}; server_max_window_bits=10; client_max_window_bits=12",
    ),
    f"{LIMITED}; server_max_window_bits=10, {LIMITED}": (
        f"{BARE}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10;"
        " client_max_window_bits=12",
        f"{BARE}; server_max_window_bits=10; client_max_window_bits=12",
    ),
    "permessage-deflate; server_no_context_takeover": (
        BARE + OURS,
        f"{BARE}; server_no_context_takeover; server_max_window_bits=12",
    ),
    "permessage-deflate; client_no_context_takeover": (
        BARE + OURS,
        f"{BARE}; client_no_context_takeover; server_max_window_bits=12",
    ),
    "permessage-deflate; server_max_window_bits=15": (BARE + OURS, f"{BARE}; server_max_window_bits=12"),
    "permessage-deflate; client_max_window_bits=9": (
        f"{BARE}{OURS}; client_max_window_bits=9",
        f"{BARE}; server_max_window_bits=12; client_max_window_bits=9",
    ),
    "permessage-deflate; server_max_window_bits=8, permessage-deflate": (
        BARE + OURS,
        f"{BARE}; server_max_window_bits=12",
    ),
    "permessage-deflate; server_max_window_bits=8": ("", ""),
    "permessage-deflate; server_max_window_bits=16": ("", ""),
    "permessage-deflate; server_max_window_bits": ("", ""),
    "permessage-deflate; server_no_context_takeover=1": ("", ""),
    "permessage-deflate; client_max_window_bits=10; client_max_window_bits=11": ("", ""),
    "permessage-deflate; mystery": ("", ""),
    "permessage-snappy": ("", ""),
}


def offering(offer: str) -> bytes:
    return UPGRADE[:-2] + b"Sec-WebSocket-Extensions: " + offer.encode() + b"\r\n\r\n"


async def agreed(client: Client, offer: str) -> str:
    answer = await client.upgrade(offering(offer))
    assert answer.startswith("HTTP/1.1 101 ")
    lines = [line for line in answer.split("\r\n") if line.lower().startswith("sec-websocket-extensions:")]
    return lines[0].split(":", 1)[1].strip() if lines else ""


def compressed(data: bytes, opcode: int = 1, *, fin: bool = True) -> bytes:
    """A client's frame whose first reserved bit is set."""
    whole = frame(data, opcode, fin=fin)
    return bytes((whole[0] | 0x40,)) + whole[1:]


def deflated(data: bytes, bits: int = 12) -> bytes:
    packer = zlib.compressobj(wbits=-bits)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def received(client: Client) -> bytes:
    """A message of the server that has to be compressed, each without the context of others."""
    first, size = await client.read(2)
    assert first & 0x40
    if size == 126:
        size = int.from_bytes(await client.read(2))
    return zlib.decompressobj(-15).decompress(await client.read(size) + b"\0\0\xff\xff")


@pytest.mark.parametrize("takeover", [False, True])
@pytest.mark.parametrize("offer", OFFERS)
async def test_an_offer_and_its_answer(offer: str, takeover: bool) -> None:
    options = {"websocket_deflate": True, "websocket_deflate_context_takeover": takeover}
    async with serve(echo, **options) as running:
        client = await running.connect()
        assert await agreed(client, offer) == OFFERS[offer][takeover]
        await client.send(frame(b"hello"))
        assert await client.message() == (1, b"hello")


HELLO = bytes.fromhex("f248cdc9c90700")
EXAMPLES = {
    "7.2.3.1 one block": compressed(HELLO),
    "7.2.3.1 two fragments": compressed(HELLO[:3], fin=False) + frame(HELLO[3:], 0),
    "7.2.3.1 a ping between them": compressed(HELLO[:3], fin=False) + frame(b"", 9) + frame(HELLO[3:], 0),
    "7.2.3.1 one byte in each": compressed(HELLO[:1], fin=False)
    + b"".join(frame(HELLO[at : at + 1], 0, fin=False) for at in range(1, 7))
    + frame(b"", 0),
    "7.2.3.3 a block that is not compressed": compressed(bytes.fromhex("000500faff48656c6c6f00")),
    "7.2.3.4 a final block": compressed(bytes.fromhex("f348cdc9c9070000")),
    "7.2.3.5 two blocks": compressed(bytes.fromhex("f248050000 00ffffcac9c90700".replace(" ", ""))),
    "6.1 not compressed at all": frame(b"Hello"),
}


@pytest.mark.parametrize("takeover", [False, True])
@pytest.mark.parametrize("example", EXAMPLES)
async def test_the_examples(example: str, takeover: bool) -> None:
    options = {"websocket_deflate": True, "websocket_deflate_context_takeover": takeover}
    async with serve(echo, **options) as running:
        client = await running.connect()
        assert await agreed(client, BARE)
        await client.send(EXAMPLES[example] * 2)
        messages = []
        while len(messages) < 2:
            opcode, payload = await client.message()
            messages += [payload] if opcode == 1 else []
        assert messages == [b"Hello", b"Hello"]


async def test_a_message_that_builds_on_another() -> None:
    """7.2.3.2, with context takeover."""
    async with serve(echo, websocket_deflate=True, websocket_deflate_context_takeover=True) as running:
        client = await running.connect()
        await agreed(client, BARE)
        await client.send(compressed(HELLO) + compressed(bytes.fromhex("f200110000")))
        assert await client.message() == (1, b"Hello")
        assert await client.message() == (1, b"Hello")


async def test_without_context_takeover_no_message_may_build_on_another() -> None:
    async with serve(echo, websocket_deflate=True) as running:
        client = await running.connect()
        await agreed(client, BARE)
        await client.send(compressed(HELLO))
        assert await client.message() == (1, b"Hello")
        await client.send(compressed(bytes.fromhex("f200110000")))
        opcode, payload = await client.message()
        assert (opcode, payload[:2]) == (8, b"\x03\xef")


HALF = deflated(bytes(700_000))
VIOLATIONS = {
    "a stream that is none": (1007, compressed(b"\xff\xff\xff\xff")),
    "text that is not UTF-8 when inflated": (1007, compressed(deflated(b"\xff\xfe"))),
    "the bit on a continuation": (1002, compressed(HELLO[:3], fin=False) + compressed(HELLO[3:], 0)),
    "the bit on a ping": (1002, compressed(b"", 9)),
    "the bit on a close": (1002, bytes((0xC8,)) + close_frame()[1:]),
    "another reserved bit": (1002, b"\xa1\x80\0\0\0\0"),
    "more than a message may have": (1009, compressed(deflated(bytes(2_000_000)), 2)),
    "more than a message may have, in fragments": (
        1009,
        compressed(HALF, 2, fin=False) + frame(b"\0\0\xff\xff" + HALF, 0),
    ),
}


@pytest.mark.parametrize("case", VIOLATIONS)
async def test_violations(case: str) -> None:
    code, data = VIOLATIONS[case]
    async with serve(echo, websocket_deflate=True) as running:
        client = await running.connect()
        await agreed(client, BARE)
        await client.send(data)
        opcode, payload = await client.message()
        assert (opcode, int.from_bytes(payload[:2])) == (8, code)


# One compression for all


class Room:
    """What both consumers do: tell everybody, directly or through a handler of their own."""

    groups = ["room"]


class AsyncRoom(Room, AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.channel_layer.group_send("room", {"type": "chat.message", "text": text_data})

    async def chat_message(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["text"])


class SyncRoom(Room, WebsocketConsumer):
    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        async_to_sync(self.channel_layer.group_send)("room", {"type": "chat.message", "text": text_data})

    def chat_message(self, event: dict[str, Any]) -> None:
        self.send(text_data=event["text"])


class DirectRoom(Room, AsyncWebsocketConsumer):
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.channel_layer.group_send("room", {"type": "websocket.send", "text": text_data})


@pytest.fixture
def layer(settings: Any) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


async def members(running: Running, count: int, offer: str) -> list[Client]:
    clients = [await running.connect() for _ in range(count)]
    for client in clients:
        assert await agreed(client, offer)
    return clients


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The window of each compressor that is made."""
    made: list[int] = []
    compressor = deflate.Compression.compressor

    def counting(compression: deflate.Compression) -> Any:
        made.append(compression.window_bits)
        return compressor(compression)

    monkeypatch.setattr(deflate.Compression, "compressor", counting)
    return made


@pytest.mark.parametrize("size", [1000, 200_000])
@pytest.mark.parametrize("room", [AsyncRoom, SyncRoom, DirectRoom])
async def test_a_broadcast_is_compressed_once_for_all_that_agreed_on_the_same(
    room: Any, size: int, layer: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = counted(monkeypatch)
    async with serve(room.as_asgi(), websocket_deflate=True) as running:
        clients = await members(running, 6, BARE)
        clients += await members(running, 4, f"{BARE}; server_max_window_bits=10")
        text = f"{room.__name__} {size} ".encode().ljust(size, b"x")
        await eventually(lambda: running.server.statistics()["websockets"] == 10)
        await clients[0].send(frame(text))
        for client in clients:
            assert await received(client) == text
    assert sorted(made) == [10, 12]
