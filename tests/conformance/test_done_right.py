"""What other servers do wrong, done right: one test for each, on a real socket.

HTTP/1.1 runs with both engines; where the same can go wrong over HTTP/2, or in a WebSocket over it, it is
here too. ``test_http1_rfc9112.py`` and ``test_http2_rfc9113.py`` have the long tables.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator
from typing import Any

import h2.events
import pytest

from channels.protocols.http1.engines import HTTP1_ENGINES
from tests.server.helpers import (
    LONG,
    UPGRADE,
    Client,
    Recorder,
    Run,
    Running,
    asked,
    close_frame,
    echo,
    frame,
    serve,
)
from tests.support.http2_client import CONNECT, POST, H2Client, h2_client


class WebSocketOverHTTP2:
    """Looks like :class:`Client` to who reads and writes frames; they travel in a stream of HTTP/2."""

    def __init__(self, client: H2Client, stream_id: int) -> None:
        self._client, self._stream_id, self._taken = client, stream_id, 0

    async def send(self, data: bytes) -> None:
        for at in range(0, len(data), 16_000):
            part = data[at : at + 16_000]
            while self._client.h2.local_flow_control_window(self._stream_id) < len(part):
                self._client.events.clear()
                await self._client.event(h2.events.WindowUpdated)
            await self._client.send(self._stream_id, part)

    async def read(self, size: int, limit: float = LONG) -> bytes:
        data = await self._client.body(self._stream_id, self._taken + size)
        self._taken += size
        return data[-size:] if size else b""

    async def message(self, limit: float = LONG) -> tuple[int, bytes]:
        return await Client.message(self, limit)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def websocket(running: Running, version: str) -> AsyncIterator[Any]:
    if version == "1.1":
        client = await running.connect()
        assert "101" in await client.upgrade()
        yield client
        return
    async with h2_client(running) as modern:
        stream_id = await modern.request(CONNECT, end=False)
        assert (await modern.head(stream_id))[":status"] == "200"
        yield WebSocketOverHTTP2(modern, stream_id)


versions = pytest.mark.parametrize("version", ["1.1", "2"])
engines = pytest.mark.parametrize("engine", HTTP1_ENGINES)


# WebSocket


@versions
async def test_an_empty_message_is_a_message(version: str) -> None:
    async with serve(echo) as running, websocket(running, version) as client:
        for opcode in (1, 2):
            await client.send(frame(b"", opcode) + frame(b"next", opcode))
            assert await client.message() == (opcode, b"")
            assert await client.message() == (opcode, b"next")


@versions
async def test_four_mebibytes_in_64_byte_fragments_are_no_error(version: str) -> None:
    body = bytes(range(64)) * 65_536
    fragments = [
        frame(body[:64], 2, fin=False),
        *[frame(body[:64], 0, fin=False)] * 65_534,
        frame(body[:64], 0),
    ]
    async with (
        serve(echo, websocket_max_message_size=None) as running,
        websocket(running, version) as client,
    ):
        await client.send(b"".join(fragments))
        opcode, received = await client.message()
        assert (opcode, len(received), received == body) == (2, len(body), True)


@versions
async def test_a_close_within_a_fragmented_message_is_answered_1000(version: str) -> None:
    async with serve(echo) as running, websocket(running, version) as client:
        await client.send(frame(b"begun", fin=False) + close_frame(1000, b"enough"))
        assert await client.message() == (8, b"\x03\xe8")


@versions
async def test_what_was_owed_before_a_violation_is_still_sent(version: str) -> None:
    app = Recorder()
    async with serve(app) as running:
        opening = asyncio.ensure_future(app.next())
        accepting = asyncio.ensure_future(accepted(opening))
        async with websocket(running, version) as client:
            run = await accepting
            await client.send(frame(b"ping", 9) + frame(b"one") + frame(b"x", 3))
            assert await client.message() == (0xA, b"ping")
            opcode, payload = await client.message()
            assert (opcode, payload[:2]) == (8, b"\x03\xea")
        assert (await run.receive())["text"] == "one"
        assert (await run.receive())["code"] == 1002
        run.end()


async def accepted(opening: asyncio.Future[Run]) -> Run:
    run = await opening
    await run.accept()
    return run


@versions
@pytest.mark.parametrize(
    "bad", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok\xce\xba\xe1\xbd\xb9\x80\x80"]
)
async def test_invalid_utf8_is_noticed_in_the_frame_that_brings_it(version: str, bad: bytes) -> None:
    """The message is not over; whoever waits for its end is kept waiting for nothing."""
    async with serve(echo) as running, websocket(running, version) as client:
        await client.send(frame(b"good", fin=False) + frame(bad, 0, fin=False))
        opcode, payload = await client.message()
        assert (opcode, payload[:2]) == (8, b"\x03\xef")


@versions
async def test_a_character_may_be_cut_by_fragments(version: str) -> None:
    text = "κόσμε".encode()
    async with serve(echo) as running, websocket(running, version) as client:
        fragments = [frame(bytes((byte,)), 0, fin=False) for byte in text[1:]]
        await client.send(frame(text[:1], fin=False) + b"".join(fragments) + frame(b"", 0))
        assert await client.message() == (1, text)


async def test_a_zip_bomb_is_refused_before_it_has_gone_off() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(20_000_000)) + packer.flush(zlib.Z_SYNC_FLUSH)
    async with serve(echo, websocket_deflate=True) as running:
        client = await running.connect()
        await client.upgrade(UPGRADE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        await client.send(b"\xc2" + frame(bomb[:-4])[1:])
        opcode, payload = await client.message()
        assert (opcode, payload[:2]) == (8, b"\x03\xf1")


KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
OPENINGS = {
    "over HTTP/1.0": (400, UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0")),
    "with POST": (405, UPGRADE.replace(b"GET", b"POST")),
    "without a key": (400, UPGRADE.replace(KEY, b"")),
    "with a key of 15 bytes": (400, UPGRADE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25j")),
    "with a key that is no base64": (400, UPGRADE.replace(b"dGhlIHNh", b"dGhl*HNh")),
    "with two keys": (400, UPGRADE.replace(KEY, KEY * 2)),
    "of version 12": (426, UPGRADE.replace(b"Version: 13", b"Version: 12")),
    "of two versions": (426, UPGRADE.replace(b"Version: 13", b"Version: 13, 8")),
    "without a version": (426, UPGRADE.replace(b"Sec-WebSocket-Version: 13\r\n", b"")),
    "without Host": (400, UPGRADE.replace(b"Host: test\r\n", b"")),
    "with two Hosts": (400, UPGRADE.replace(b"Host: test\r\n", b"Host: test\r\nHost: test\r\n")),
    "with subprotocols that are no text": (400, UPGRADE[:-2] + b"Sec-WebSocket-Protocol: a, \xe9\r\n\r\n"),
    "with two origins": (403, UPGRADE[:-2] + b"Origin: http://a\r\nOrigin: http://b\r\n\r\n"),
    "with a subprotocol twice": (400, UPGRADE[:-2] + b"Sec-WebSocket-Protocol: a, a\r\n\r\n"),
}


@engines
@pytest.mark.parametrize("opening", OPENINGS)
async def test_an_opening_handshake_that_is_none_is_refused(opening: str, engine: str) -> None:
    status, request = OPENINGS[opening]
    app = Recorder()
    async with serve(app, http1_engine=engine) as running:
        client = await running.connect()
        await client.send(request + frame(b"too early"))
        got, headers, _ = await client.response()
        assert (got, headers["connection"]) == (status, "close")
        assert (status == 426) == ("sec-websocket-version" in headers)
        assert await client.rest() == b""
    assert app.runs == []


# HTTP

AMBIGUOUS = {
    "a Host that is no host": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "an absolute form with another Host": b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "Content-Length with Transfer-Encoding": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "Transfer-Encoding in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@engines
@pytest.mark.parametrize("case", AMBIGUOUS)
async def test_what_a_proxy_could_read_otherwise_is_refused_and_the_connection_closed(
    case: str, engine: str
) -> None:
    app = Recorder()
    async with serve(app, http1_engine=engine) as running:
        client = await running.connect()
        await client.send(AMBIGUOUS[case] + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        status, headers, _ = await client.response()
        assert (status, headers["connection"]) == (400, "close")
        assert await client.rest() == b""
    assert app.runs == []


@pytest.mark.parametrize("host", ["a b", "u@a", "a/b"])
async def test_a_host_that_is_none_over_http2(host: str) -> None:
    async with serve(echo) as running, h2_client(running) as client:
        fields = [(name, host if name == ":authority" else value) for name, value in POST]
        assert (await client.head(await client.request(fields)))[":status"] == "400"


async def promise(run: Run, **more: Any) -> None:
    await run.send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    with contextlib.suppress(ValueError):
        await run.send({"type": "http.response.body", **more})
    run.end()


@engines
async def test_what_is_beyond_content_length_never_reaches_the_wire(engine: str) -> None:
    request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    async with asked(request, http1_engine=engine) as (run, client, _):
        await promise(run, body=b"0123HTTP/1.1 200 OK\r\nset-cookie: a=b\r\n\r\n")
        assert (await client.rest()).endswith(b"\r\n\r\n0123")


async def test_what_is_beyond_content_length_never_reaches_the_wire_over_http2() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        stream_id = await client.request()
        await promise(await app.next(), body=b"01234")
        kinds = (h2.events.StreamReset, h2.events.StreamEnded)
        await client.until(lambda event: isinstance(event, kinds) and event.stream_id == stream_id)
        assert client.bodies[stream_id] == b"0123"


@engines
async def test_head_never_has_a_body(engine: str) -> None:
    async with serve(echo, http1_engine=engine) as running:
        client = await running.connect()
        await client.send(
            b"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        answers = await client.rest()
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 3
    first, second, last, rest = answers.split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200")
    assert second.startswith(b"HTTP/1.1 200")
    assert b"x-path: /next" in last
    assert rest == b""


async def test_head_never_has_a_body_over_http2() -> None:
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        stream_id = await client.request([(":method", "HEAD"), *POST[1:]])
        run = await app.next()
        await run.respond(b"not sent", headers=[(b"content-length", b"8")])
        run.end()
        status, headers, body = await client.response(stream_id)
        assert (status, headers["content-length"], body) == (200, "8", b"")


@engines
async def test_a_header_that_drips_is_cut_off(engine: str) -> None:
    """The limit runs from the first byte: more bytes do not move it."""
    async with serve(echo, head_timeout=0.3, keep_alive_timeout=None, http1_engine=engine) as running:
        client = await running.connect()
        answer = asyncio.ensure_future(client.response())
        with contextlib.suppress(OSError):
            for byte in b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 10_000:
                if answer.done():
                    break
                await client.send(bytes((byte,)))
                await asyncio.sleep(0.02)
        assert (await answer)[0] == 408


async def test_a_block_that_hpack_cannot_decode_gets_goaway_and_a_close() -> None:
    async with serve(echo) as running, h2_client(running) as client:
        client.writer.write(b"\0\0\5\1\5\0\0\0\1" + b"\xff" * 5)
        goodbye = await client.event(h2.events.ConnectionTerminated)
        assert goodbye.error_code == 9
        await client.closed()


@versions
async def test_a_request_without_a_body_ends_receive(version: str) -> None:
    """On HTTP/2 the HEADERS frame says so itself; then come frames of nothing, and trailers."""
    app = Recorder()
    async with serve(app) as running:
        if version == "1.1":
            client = await running.connect()
            await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            assert await body_of(app) == b""
            return
        async with h2_client(running) as modern:
            await modern.request(POST)
            assert await body_of(app) == b""
            for ending in ("empty data", "trailers"):
                stream_id = await modern.request(POST, end=False)
                if ending == "trailers":
                    modern.h2.send_headers(stream_id, [("x", "y")], end_stream=True)
                    await modern.flush()
                else:
                    await modern.send(stream_id, b"", end=True)
                assert await body_of(app) == b""


async def body_of(app: Recorder) -> bytes:
    run, body = await app.next(), b""
    while (message := await run.receive())["more_body"]:
        body += message["body"]
    run.end()
    return body + message["body"]
