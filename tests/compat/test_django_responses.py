"""Django's own handler behind our server: streams whose reader leaves, and files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_finished
from django.http import FileResponse, StreamingHttpResponse
from django.urls import path

from tests.server.helpers import LONG, Client, eventually, records, serve
from tests.support.http2_client import GET, h2_client

SIZE = 50_000_000
left: list[object] = []
finished: list[object] = []


async def ticks(request: Any) -> StreamingHttpResponse:
    """An event stream with one event, after which it waits for ever."""

    async def events() -> AsyncIterator[bytes]:
        try:
            yield b"data: 1\n\n"
            await asyncio.Event().wait()
        finally:
            left.append(request)

    return StreamingHttpResponse(events(), content_type="text/event-stream")


async def torrent(request: Any) -> StreamingHttpResponse:
    """A large body, made piece by piece."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(SIZE // 100_000):
            yield b"x" * 100_000

    return StreamingHttpResponse(pieces())


def file(request: Any) -> FileResponse:
    return FileResponse(open(__file__, "rb"))


urlpatterns = [path("ticks", ticks), path("torrent", torrent), path("file", file)]


@pytest.fixture(autouse=True)
def project(settings: Any) -> Any:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = []
    finished.clear()
    left.clear()

    def note(sender: object, **more: object) -> None:
        finished.append(sender)

    request_finished.connect(note)
    yield
    request_finished.disconnect(note)


def get(name: str) -> bytes:
    return f"GET /{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@pytest.mark.parametrize("how", ["reset", "closed"])
async def test_a_quiet_stream_notices_that_its_reader_left(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(ASGIHandler()) as running:
        client = await running.connect()
        await client.send(get("ticks"))
        await client.until(b"data: 1\n\n")
        if how == "reset":
            client.reset()
        else:
            await client.close()
        await eventually(lambda: left and finished and not running.runtime.streams)
    assert records(caplog) == []


async def test_a_quiet_stream_of_http2_notices_it_too(caplog: pytest.LogCaptureFixture) -> None:
    async with serve(ASGIHandler()) as running, h2_client(running) as client:
        stream_id = await client.request([*GET[:2], (":authority", "localhost"), (":path", "/ticks")])
        await client.body(stream_id, 9)
        client.h2.reset_stream(stream_id)
        await client.flush()
        await eventually(lambda: left and finished and not running.runtime.streams)
    assert records(caplog) == []


async def test_a_large_stream_waits_for_its_reader() -> None:
    async with serve(ASGIHandler()) as running:
        client = await running.connect()
        await client.send(get("torrent"))
        await client.until(b"\r\n\r\n")
        peak = await drink(client, running)
    assert peak < 300_000


async def drink(client: Client, running: Any) -> int:
    """Read a large body; returns how much of it waited at the server at most."""
    size = peak = 0
    while size < SIZE:
        size += len(await asyncio.wait_for(client.reader.read(1_000_000), LONG))
        peak = max([peak, *(connection.unsent for connection in running.runtime.connections)])
    return peak


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
async def test_a_file_response() -> None:
    async with serve(ASGIHandler()) as running:
        client = await running.connect()
        await client.send(get("file"))
        status, headers, body = await client.response()
        assert (status, int(headers["content-length"])) == (200, len(body))
        assert body == Path(__file__).read_bytes()
