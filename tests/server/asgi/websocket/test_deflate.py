"""Compression on a running server, with the client that everybody has and by hand."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate

from tests.server.helpers import LONG, UPGRADE, Running, echo, frame, serve

#: What Chromium offers.
CHROMIUM = b"permessage-deflate; client_max_window_bits"
BOMB = zlib.compressobj(9, zlib.DEFLATED, -15)
BOMB_BYTES = BOMB.compress(bytes(50_000_000)) + BOMB.flush(zlib.Z_SYNC_FLUSH)


def offering(value: bytes) -> bytes:
    return UPGRADE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: " + value + b"\r\n\r\n")


def inflate(payload: bytes) -> bytes:
    return zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff")


@asynccontextmanager
async def websocket(running: Running, **options: Any) -> AsyncIterator[ClientConnection]:
    address = running.server.addresses[0]
    async with (
        asyncio.timeout(LONG),
        websocket_connect(f"ws://{address[0]}:{address[1]}/", max_size=None, **options) as socket,
    ):
        yield socket


async def echoes(socket: ClientConnection) -> None:
    for message in ("", "short", "long " * 10_000, b"\0\xff" * 3000, "long " * 10_000):
        await socket.send(message)
        assert await socket.recv() == message


@pytest.mark.parametrize("takeover", [False, True])
async def test_the_websockets_client_compresses(takeover: bool) -> None:
    options = {"websocket_deflate": True, "websocket_deflate_context_takeover": takeover}
    async with serve(echo, **options) as running, websocket(running) as socket:
        (agreed,) = socket.protocol.extensions
        assert isinstance(agreed, PerMessageDeflate)
        assert agreed.remote_no_context_takeover is not takeover
        assert agreed.local_no_context_takeover is not takeover
        await echoes(socket)


async def test_a_client_may_limit_our_window() -> None:
    factory = ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9)
    async with (
        serve(echo, websocket_deflate=True) as running,
        websocket(running, compression=None, extensions=[factory]) as socket,
    ):
        (agreed,) = socket.protocol.extensions
        assert isinstance(agreed, PerMessageDeflate)
        assert agreed.remote_max_window_bits == 9
        await echoes(socket)


async def test_what_chromium_offers_is_agreed_to_and_small_messages_stay_as_they_are() -> None:
    async with serve(echo, websocket_deflate=True) as running:
        client = await running.connect()
        answer = await client.upgrade(offering(CHROMIUM))
        assert "sec-websocket-extensions: permessage-deflate; server_no_context_takeover" in answer
        await client.send(frame(b"short") + frame(b"long " * 1000))
        assert await client.read(7) == b"\x81\x05short"
        first, size = await client.read(2)
        assert (first, size < 126) == (0xC1, True)
        assert inflate(await client.read(size)) == b"long " * 1000


async def test_the_smallest_message_to_compress_can_be_set() -> None:
    async with serve(echo, websocket_deflate=True, websocket_deflate_min_size=0) as running:
        client = await running.connect()
        await client.upgrade(offering(CHROMIUM))
        await client.send(frame(b"aaaaa"))
        first, size = await client.read(2)
        assert first == 0xC1
        assert inflate(await client.read(size)) == b"aaaaa"


@pytest.mark.parametrize("offer", [b"x-webkit-deflate-frame", b"permessage-deflate; colour=red", b'"'])
async def test_what_cannot_be_agreed_to_is_left_out(offer: bytes) -> None:
    async with serve(echo, websocket_deflate=True) as running:
        client = await running.connect()
        assert "extensions" not in await client.upgrade(offering(offer))
        await client.send(frame(b"long " * 1000))
        assert await client.message() == (1, b"long " * 1000)


async def test_it_is_off_unless_asked_for() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        assert "extensions" not in await client.upgrade(offering(CHROMIUM))
        await client.send(b"\xc1\x80\0\0\0\0")
        assert await client.message() == (8, (1002).to_bytes(2, "big") + b"reserved bits must be 0")


async def test_a_bomb_is_refused_before_it_has_gone_off() -> None:
    async with serve(echo, websocket_deflate=True) as running:
        client = await running.connect()
        await client.upgrade(offering(CHROMIUM))
        await client.send(b"\xc2" + frame(BOMB_BYTES[:-4])[1:])
        opcode, payload = await client.message()
        assert (opcode, int.from_bytes(payload[:2], "big")) == (8, 1009)
