"""Headers that the server adds, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.helpers import GET, Recorder, serve


async def answer(headers: Any, body: bytes = b"x", status: int = 200, **options: Any) -> dict[str, str]:
    app = Recorder()
    async with serve(app, **options) as running:
        client = await running.connect()
        await client.send(GET)
        run = await app.next()
        await run.respond(body, status=status, headers=headers)
        run.end()
        head = (await client.until(b"\r\n\r\n")).decode()
        return dict(line.split(": ", 1) for line in head.strip().split("\r\n")[1:])


async def test_own_headers_stand_back_for_the_applications() -> None:
    found = await answer([(b"Date", b"never"), (b"Server", b"mine"), (b"Content-Length", b"1")])
    assert found == {"Date": "never", "Server": "mine", "Content-Length": "1"}


@pytest.mark.parametrize(("name", "expected"), [("", None), ("other", "other")])
async def test_server_name(name: str, expected: str | None) -> None:
    assert (await answer([], server_name=name)).get("server") == expected


async def test_the_length_is_known_when_the_body_is_whole() -> None:
    assert (await answer([], b"12345"))["content-length"] == "5"


async def test_transfer_encoding_is_left_to_the_server() -> None:
    found = await answer([(b"transfer-encoding", b"chunked")])
    assert found["transfer-encoding"] == "chunked"
    assert "content-length" not in found


@pytest.mark.parametrize("status", [204, 304])
async def test_some_statuses_have_no_body(status: int) -> None:
    found = await answer([], b"", status)
    assert "content-length" not in found
    assert "transfer-encoding" not in found


@pytest.mark.parametrize("body", [None, bytearray(b"abc"), memoryview(b"abc")])
async def test_bodies_that_are_nearly_bytes(body: Any) -> None:
    assert (await answer([], body))["content-length"] == ("0" if body is None else "3")


async def test_headers_may_be_lists_and_may_be_none() -> None:
    assert (await answer([[b"x-one", b"1"]]))["x-one"] == "1"
    assert "date" in await answer(None)
