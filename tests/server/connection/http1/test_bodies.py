"""Bodies that come in many parts, that nobody reads, or that are files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from channels import telemetry
from channels.process.platforms import HAS_SENDFILE
from channels.server.io.sendfile import PIECE
from tests.server.helpers import GET, Recorder, asked, echo, serve
from tests.support.certificates import make_pair

CHUNKED = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_body_in_very_many_chunks_is_read_in_turns() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        part = b"100\r\n" + 256 * b"x" + b"\r\n"
        await client.send(CHUNKED + 400 * part + b"0\r\n\r\n")
        status, _, body = await client.response()
        assert (status, len(body)) == (200, 400 * 256)


async def test_a_body_in_too_many_small_chunks_is_refused() -> None:
    before = telemetry.counters["server.bad_request"]
    async with serve(echo, body_max_small_parts=10) as running:
        client = await running.connect()
        await client.send(CHUNKED + b"1\r\nx\r\n" * 1000)
        assert b" 429 " in await client.until(b"\r\n")
        assert telemetry.counters["server.bad_request"] > before


async def test_chunk_extensions_are_judged_before_the_body_is_told() -> None:
    async with serve(echo) as running:
        client = await running.connect()
        await client.send(CHUNKED + b"3;name=value\r\nabc\r\n0\r\n\r\n")
        assert (await client.response())[2] == b"abc"


async def test_a_body_that_came_after_its_peer_stopped_sending_is_read_to_its_end() -> None:
    size = 400_000
    head = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % size
    async with asked(head, request_buffer_size=1000) as (run, client, _):
        await client.send(b"x" * size)
        client.writer.write_eof()
        got = 0
        while (message := await run.receive())["type"] == "http.request":
            got += len(message["body"])
            if not message["more_body"]:
                break
        assert got == size
        await run.respond(b"all")
        assert (await client.response())[2] == b"all"


async def test_an_answer_to_a_body_that_is_held_discards_the_rest() -> None:
    app = Recorder()
    async with serve(app, request_buffer_size=1000) as running:
        client = await running.connect()
        await client.send(CHUNKED + b"fa0\r\n" + 4000 * b"x" + b"\r\n0\r\n\r\n" + GET)
        for body in (b"no", b"yes"):
            run = await app.next()
            await run.respond(body)
            run.end()
            assert (await client.response())[2] == body


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    async with serve(echo, max_body_size=10) as running:
        client = await running.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\n\r\n")
        assert (await client.response())[0] == 413
        assert running.server.statistics()["requests"] == 0


async def test_fields_that_are_left_out_are_counted() -> None:
    before = telemetry.counters["protocols.underscore_header"]
    async with serve(echo) as running:
        client = await running.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: test\r\nX_Forwarded_For: 1\r\n\r\n")
        assert (await client.response())[0] == 200
    assert telemetry.counters["protocols.underscore_header"] == before + 1


async def test_a_response_shorter_than_it_said_ends_the_connection() -> None:
    async with asked() as (run, client, _):
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]}
        await run.send(start)
        await run.send({"type": "http.response.body", "body": b"abc", "more_body": True})
        with pytest.raises(ValueError, match=r"Content-Length|short"):
            await run.send({"type": "http.response.body"})
        run.end()
        assert (await client.rest()).endswith(b"\r\n\r\nabc")


async def test_a_response_waits_for_a_peer_that_reads_slowly() -> None:
    async with asked(write_buffer_size=1000) as (run, client, _):
        client.transport.pause_reading()
        await run.send({"type": "http.response.start", "status": 200})
        part = {"type": "http.response.body", "body": b"x" * 20_000_000, "more_body": True}
        sending = asyncio.ensure_future(run.send(part))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not sending.done()
        client.transport.resume_reading()
        await client.until(b"\r\n\r\n")
        await client.read(20_000_000)
        await sending
        run.end()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789" * (PIECE // 5))
    return path


async def of_a_file(app: Recorder, running: object, path: Path, count: int, context: object = None) -> bytes:
    client = await running.connect(context)  # type: ignore[attr-defined]
    await client.send(GET)
    run = await app.next()
    await run.send({"type": "http.response.start", "status": 200})
    with path.open("rb") as opened:
        message = {"type": "http.response.zerocopysend", "file": opened.fileno(), "offset": 0, "count": count}
        await run.send(message)
    run.end()
    status, headers, body = await client.response()
    assert (status, headers["content-length"]) == (200, str(count))
    return bytes(body)


@pytest.mark.parametrize("count", [10, PIECE + 1], ids=["small", "large"])
async def test_a_file_in_clear_text(file: Path, count: int) -> None:
    app = Recorder()
    async with serve(app) as running:
        assert await of_a_file(app, running, file, count) == file.read_bytes()[:count]


async def test_a_file_in_chunks_is_framed_by_us(file: Path) -> None:
    if not HAS_SENDFILE:
        pytest.skip("this system copies no files in the kernel")
    async with asked() as (run, client, _):
        await run.send({"type": "http.response.start", "status": 200})
        more = {"type": "http.response.pathsend", "path": str(file), "more_body": True}
        await run.send(more)
        await run.send({"type": "http.response.body", "body": b"end"})
        run.end()
        _, headers, body = await client.response()
        assert headers["transfer-encoding"] == "chunked"
        assert body == file.read_bytes() + b"end"


async def test_a_file_over_tls_is_read_and_written(file: Path, tmp_path: Path) -> None:
    app, pair = Recorder(), make_pair(tmp_path)
    async with serve(app, endpoints=(pair.endpoint,)) as running:
        got = await of_a_file(app, running, file, PIECE + 1, pair.client("http/1.1"))
        assert got == file.read_bytes()[: PIECE + 1]
