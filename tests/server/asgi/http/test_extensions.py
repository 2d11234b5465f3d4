"""Early hints, files, and the line of the access log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.server.helpers import GET, Recorder, asked, serve

HEAD = b"HEAD / HTTP/1.1\r\nHost: test\r\n\r\n"
START = {"type": "http.response.start", "status": 200}


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "page"
    file.write_bytes(b"content")
    return str(file)


async def test_an_early_hint_goes_out_before_the_head() -> None:
    async with asked() as (run, client, _):
        await run.send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload"]})
        assert await client.until(b"\r\n\r\n") == (
            b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
        )
        await run.respond(b"page")
        assert (await client.response())[2] == b"page"


async def test_a_file_is_the_whole_body(path: str) -> None:
    async with asked() as (run, client, _):
        await run.send(START)
        await run.send({"type": "http.response.pathsend", "path": path})
        _, headers, body = await client.response()
        assert (headers["content-length"], body) == ("7", b"content")


async def test_a_file_is_a_part_of_the_body(path: str) -> None:
    async with asked() as (run, client, _):
        await run.send(START)
        await run.send({"type": "http.response.pathsend", "path": path, "more_body": True})
        await run.send({"type": "http.response.body", "body": b", and more"})
        assert (await client.response())[2] == b"content, and more"


async def test_a_head_request_gets_the_length_of_a_file_and_nothing_of_it(path: str) -> None:
    async with asked(HEAD) as (run, client, _):
        await run.send(START)
        await run.send({"type": "http.response.pathsend", "path": path})
        assert b"content-length: 7\r\n" in await client.until(b"\r\n\r\n")


async def test_a_file_that_is_not_there_is_told_to_the_application(tmp_path: Path) -> None:
    async with asked() as (run, client, _):
        await run.send(START)
        with pytest.raises(FileNotFoundError):
            await run.send({"type": "http.response.pathsend", "path": str(tmp_path / "none")})
        await run.send({"type": "http.response.body", "body": b"instead"})
        assert (await client.response())[2] == b"instead"


async def test_each_request_is_a_line_of_the_access_log() -> None:
    lines: list[dict[str, Any]] = []

    def log(protocol: str, action: str, details: dict[str, Any]) -> None:
        lines.append({"protocol": protocol, "action": action, **details})

    app = Recorder()
    async with serve(app, action_logger=log) as running:
        client = await running.connect()
        await client.send(GET)
        run = await app.next()
        await run.respond(b"page", status=201)
        run.end()
        await client.response()
    (line,) = lines
    assert (line["protocol"], line["action"], line["method"], line["path"]) == (
        "http",
        "complete",
        "GET",
        "/",
    )
    assert (line["status"], line["size"]) == (201, 4)
