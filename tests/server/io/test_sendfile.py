"""Files as bodies: over HTTP/1.1 in clear text and over TLS, over HTTP/2, and what is wrong with one."""

from __future__ import annotations

import asyncio
import io
import os
import ssl
from pathlib import Path
from typing import Any

import pytest
import uvloop

from channels import telemetry
from channels.server.io import sendfile as files
from tests.server.helpers import LONG, Client, Recorder, Run, asked, eventually, serve
from tests.support.certificates import make_pair
from tests.support.http2_client import GET as GET2
from tests.support.http2_client import h2_client

CONTENT = bytes(range(256)) * 4096  # 1 MiB
PATHSEND, ZEROCOPY = "http.response.pathsend", "http.response.zerocopysend"


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "film"
    file.write_bytes(CONTENT)
    return str(file)


async def start(run: Run, headers: Any = (), **more: Any) -> None:
    await run.send({"type": "http.response.start", "status": 200, "headers": headers, **more})


async def send_path(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the file that the query names."""
    await send({"type": "http.response.start", "status": 200})
    await send({"type": PATHSEND, "path": scope["query_string"].decode()})


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} /?{path} HTTP/1.1\r\nHost: test\r\n\r\n".encode()


async def fetch_http1(path: str) -> None:
    async with serve(send_path) as running:
        client = await running.connect()
        for _ in range(2):  # the connection lives on
            await client.send(get(path))
            status, headers, body = await client.response()
            assert (status, headers["content-length"], body == CONTENT) == (200, "1048576", True)


async def test_a_file_over_http1_in_clear_text(path: str) -> None:
    await fetch_http1(path)


def test_a_file_over_http1_on_uvloop(path: str) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(fetch_http1(path))


async def test_a_file_over_a_unix_socket(path: str, tmp_path: Path) -> None:
    async with serve(send_path, endpoints=(f"unix:{tmp_path / 'socket'}",)) as running:
        client = await running.connect()
        await client.send(get(path))
        assert (await client.response())[2] == CONTENT


async def test_the_kernel_copies_what_is_worth_it(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[int] = []
    sendfile = os.sendfile

    def counting(*args: int) -> int:
        copied.append(sendfile(*args))
        return copied[-1]

    monkeypatch.setattr(os, "sendfile", counting)
    await fetch_http1(path)
    assert sum(copied) == 2 * len(CONTENT)


async def test_a_file_over_tls(path: str, tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    async with serve(send_path, endpoints=(pair.endpoint,)) as running:
        address = running.server.addresses[0]
        client = Client(*await asyncio.open_connection(*address, ssl=pair.client("http/1.1")))
        await client.send(get(path))
        assert (await client.response())[2] == CONTENT
        await client.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_a_file_over_http2(path: str, tmp_path: Path, tls: bool) -> None:
    pair = make_pair(tmp_path)
    context: ssl.SSLContext | None = pair.client("h2") if tls else None
    endpoint = pair.endpoint if tls else "tcp:port=0:interface=127.0.0.1"
    async with serve(send_path, endpoints=(endpoint,)) as running, h2_client(running, context) as client:
        stream_id = await client.request([*GET2[:3], (":path", f"/?{path}")])
        status, headers, body = await client.response(stream_id)
        assert (status, headers["content-length"], body == CONTENT) == (200, "1048576", True)


@pytest.mark.parametrize("content", [b"", b"small", b"x" * files.PIECE, b"x" * (files.PIECE + 1)])
async def test_sizes(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    async with serve(send_path) as running:
        client = await running.connect()
        await client.send(get(str(tmp_path / "file")))
        status, headers, body = await client.response()
        assert (status, headers["content-length"], body) == (200, str(len(content)), content)


async def test_a_head_request_gets_the_length_alone(path: str) -> None:
    async with serve(send_path) as running:
        client = await running.connect()
        await client.send(get(path, "HEAD") + b"nonsense\r\n\r\n")
        head = (await client.until(b"\r\n\r\n")).decode()
        assert "content-length: 1048576\r\n" in head
        assert (await client.until(b"\r\n")).startswith(b"HTTP/1.1 400")  # no body came between


async def test_a_status_without_a_body(path: str) -> None:
    async with asked() as (run, client, _):
        await run.send({"type": "http.response.start", "status": 304})
        await run.send({"type": PATHSEND, "path": path})
        head = await client.until(b"\r\n\r\n")
        assert b"content-length" not in head
        await client.send(b"nonsense\r\n\r\n")
        assert (await client.until(b"\r\n")).startswith(b"HTTP/1.1 400")  # no body came between
        assert run.scope["extensions"][PATHSEND] == {}


async def test_to_http_1_0_the_length_is_told_too(path: str) -> None:
    async with serve(send_path) as running:
        client = await running.connect()
        await client.send(f"GET /?{path} HTTP/1.0\r\nHost: test\r\n\r\n".encode())
        head, _, body = (await client.rest()).partition(b"\r\n\r\n")
        assert b"content-length: 1048576" in head
        assert body == CONTENT


async def test_parts_of_open_files_between_parts_of_a_body(path: str) -> None:
    big = 200_000
    async with asked() as (run, client, _):
        with open(path, "rb") as file:
            await start(run)
            await run.send({"type": "http.response.body", "body": b"<", "more_body": True})
            await run.send({"type": ZEROCOPY, "file": file, "offset": 1, "count": big, "more_body": True})
            await run.send({"type": "http.response.body", "body": b"|", "more_body": True})
            await run.send({"type": ZEROCOPY, "file": file.fileno(), "count": 10, "more_body": True})
            await run.send({"type": ZEROCOPY, "file": file, "count": 10, "more_body": True})
            await run.send({"type": ZEROCOPY, "file": file, "offset": len(CONTENT) + 5})
        parts = [b"<", CONTENT[1 : big + 1], b"|", CONTENT[:20]]
        assert (await client.response())[2] == b"".join(parts)
        run.end()


async def test_a_file_within_its_content_length_over_http1(path: str) -> None:
    async with asked() as (run, client, _):
        await start(run, [(b"content-length", b"1048577")])
        with open(path, "rb") as file:
            await run.send({"type": ZEROCOPY, "file": file, "more_body": True})
        await run.send({"type": "http.response.body", "body": b"!"})
        assert (await client.response())[2] == CONTENT + b"!"


async def test_an_open_file_is_a_whole_body(path: str) -> None:
    async with asked() as (run, client, _):
        await start(run)
        with open(path, "rb") as file:
            await run.send({"type": ZEROCOPY, "file": file})
        _, headers, body = await client.response()
        assert (headers["content-length"], body) == ("1048576", CONTENT)


MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"type": PATHSEND}, TypeError, "is a str, got None"),
    ({"type": PATHSEND, "path": b"/etc/hostname"}, TypeError, "is a str"),
    ({"type": PATHSEND, "path": "film"}, ValueError, "absolute"),
    ({"type": PATHSEND, "path": "/no/such/file"}, FileNotFoundError, "No such file"),
    ({"type": PATHSEND, "path": "/"}, ValueError, "regular files"),
    ({"type": PATHSEND, "path": "/dev/null"}, ValueError, "regular files"),
    ({"type": PATHSEND, "path": "/a\0b"}, ValueError, "null"),
    ({"type": ZEROCOPY}, TypeError, "is an open file, got None"),
    ({"type": ZEROCOPY, "file": True}, TypeError, "is an open file"),
    ({"type": ZEROCOPY, "file": io.BytesIO(b"x")}, OSError, "fileno"),
    ({"type": ZEROCOPY, "file": 987_654}, OSError, "Bad file"),
    ({"type": ZEROCOPY, "file": "film", "offset": -1}, ValueError, "'offset'"),
    ({"type": ZEROCOPY, "file": "film", "count": "1"}, TypeError, "'count'"),
    ({"type": ZEROCOPY, "file": "film", "offset": False}, TypeError, "'offset'"),
]


@pytest.mark.parametrize(("message", "error", "text"), MISTAKES)
async def test_mistakes_leave_the_response_to_something_else(
    message: dict[str, Any], error: type[Exception], text: str, path: str
) -> None:
    async with asked() as (run, client, _):
        await start(run)
        with open(path, "rb") as file:
            if message.get("file") == "film":
                message = {**message, "file": file}
            with pytest.raises(error, match=text):
                await run.send(message)
        await run.send({"type": "http.response.body", "body": b"no film"})
        assert (await client.response())[2] == b"no film"


async def test_a_wrong_content_length_is_told_while_500_can_be_sent(path: str) -> None:
    async with asked() as (run, client, _):
        await start(run, [(b"Content-Length", b"5000000")])
        with pytest.raises(ValueError, match="is 5000000, but the file has 1048576") as caught:
            await run.send({"type": PATHSEND, "path": path})
        run.fail(caught.value)
        assert (await client.response())[0] == 500


@pytest.mark.parametrize("more", [True, False])
async def test_more_than_the_length_promised_is_left_out(
    path: str, more: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked() as (run, client, _):
        await start(run, [(b"content-length", b"5")])
        with open(path, "rb") as file:
            await run.send({"type": ZEROCOPY, "file": file, "more_body": more})
            if more:
                await run.send({"type": "http.response.body", "body": b"and more"})
            assert (await client.response())[2] == os.pread(file.fileno(), 5, 0)
    assert caplog.text.count("longer than its Content-Length") == 1


NOT_STARTED = "^{} came, but the response has not been started: send start first.$"


async def test_out_of_turn(path: str) -> None:
    async with asked() as (run, client, _):
        with pytest.raises(ValueError, match=NOT_STARTED.format(PATHSEND)):
            await run.send({"type": PATHSEND, "path": path})
        with open(path, "rb") as file, pytest.raises(ValueError, match=NOT_STARTED.format(ZEROCOPY)):
            await run.send({"type": ZEROCOPY, "file": file})
        await start(run)
        await run.send({"type": PATHSEND, "path": path})
        with (
            open(path, "rb") as file,
            pytest.raises(ValueError, match="the response is complete"),
        ):
            await run.send({"type": ZEROCOPY, "file": file})
        assert (await client.response())[2] == CONTENT


def sparse(tmp_path: Path, size: int) -> str:
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(size)
    return file.name


async def test_nothing_else_may_come_while_a_file_is_sent(tmp_path: Path) -> None:
    path = sparse(tmp_path, 50_000_000)
    async with asked() as (run, client, _):
        await start(run)
        sending = asyncio.ensure_future(run.send({"type": PATHSEND, "path": path}))
        await client.read(100_000)
        with pytest.raises(ValueError, match="a file is being sent"):
            await run.send({"type": "http.response.body", "body": b"between"})
        client.reset()
        await asyncio.wait_for(sending, LONG)


async def test_a_file_that_becomes_shorter_breaks_off(tmp_path: Path, caplog: Any) -> None:
    path = sparse(tmp_path, 50_000_000)
    async with asked() as (run, client, _):
        await start(run)
        sending = asyncio.ensure_future(run.send({"type": PATHSEND, "path": path}))
        await client.read(100_000)
        os.truncate(path, 10)
        rest = asyncio.ensure_future(client.rest())
        with pytest.raises(OSError, match="became shorter") as caught:
            await asyncio.wait_for(sending, LONG)
        run.fail(caught.value)
        assert len(await rest) < 50_000_000


async def test_who_does_not_read_is_cut(tmp_path: Path) -> None:
    before = telemetry.counters["server.slow_reader"]
    async with asked(write_timeout=0.2) as (run, _, running):
        await start(run)
        await asyncio.wait_for(run.send({"type": PATHSEND, "path": sparse(tmp_path, 50_000_000)}), LONG)
        assert telemetry.counters["server.slow_reader"] == before + 1
        assert await run.receive() == {"type": "http.request", "body": b"", "more_body": False}
        assert await run.receive() == {"type": "http.disconnect"}
        await eventually(lambda: not running.runtime.connections)


async def test_who_leaves_ends_it(tmp_path: Path) -> None:
    numbers = len(os.listdir("/proc/self/fd"))
    async with asked() as (run, client, running):
        await start(run)
        sending = asyncio.ensure_future(run.send({"type": PATHSEND, "path": sparse(tmp_path, 50_000_000)}))
        await client.read(100_000)
        client.reset()
        await asyncio.wait_for(sending, LONG)
        await eventually(lambda: not running.runtime.connections)
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= numbers)


async def test_a_socket_that_breaks_before_the_loop_knows(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: int) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(os, "sendfile", broken)
    async with asked() as (run, client, _):
        await start(run)
        await run.send({"type": PATHSEND, "path": path})
        head = await client.rest()
        assert head.endswith(b"\r\n\r\n") or not head
        assert await run.receive() == {"type": "http.request", "body": b"", "more_body": False}
        assert await run.receive() == {"type": "http.disconnect"}


async def test_who_leaves_http2_ends_it(tmp_path: Path) -> None:
    path = sparse(tmp_path, 50_000_000)
    app = Recorder()
    async with serve(app) as running, h2_client(running) as client:
        client.acknowledging = False
        stream_id = await client.request()
        run = await app.next()
        await start(run)
        sending = asyncio.ensure_future(run.send({"type": PATHSEND, "path": path}))
        await client.body(stream_id, 65_535)
        client.h2.reset_stream(stream_id)
        await client.flush()
        await asyncio.wait_for(sending, LONG)
        run.end()


async def test_what_was_written_before_goes_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    async with asked() as (run, client, running):
        await start(run)
        early = b"x" * 5_000_000
        body = asyncio.ensure_future(
            run.send({"type": "http.response.body", "body": early, "more_body": True})
        )
        await eventually(lambda: any(connection.congested for connection in running.runtime.connections))
        with open(tmp_path / "file", "rb") as file:
            sending = asyncio.ensure_future(run.send({"type": ZEROCOPY, "file": file}))
            assert (await client.response())[2] == early + CONTENT
            await asyncio.wait_for(asyncio.gather(body, sending), LONG)


def refusing(*args: Any) -> int:
    raise OSError("cannot tell")


@pytest.mark.parametrize("change", ["no flag", "refused"])
async def test_reading_where_the_system_cannot_tell_what_is_in_memory(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if change == "no flag":
        monkeypatch.setattr(files, "_NOWAIT", None)
    else:
        monkeypatch.setattr(os, "preadv", refusing)
    (tmp_path / "file").write_bytes(b"small")
    async with serve(send_path) as running:
        client = await running.connect()
        await client.send(get(str(tmp_path / "file")))
        assert (await client.response())[2] == b"small"


@pytest.mark.parametrize("tls", [False, True])
async def test_no_more_of_a_large_file_is_in_memory_than_the_buffers_hold(tmp_path: Path, tls: bool) -> None:
    size, peak = 50_000_000, 0
    pair = make_pair(tmp_path)
    endpoint = pair.endpoint if tls else "tcp:port=0:interface=127.0.0.1"
    async with serve(send_path, endpoints=(endpoint,)) as running:
        context = pair.client("http/1.1") if tls else None
        client = Client(*await asyncio.open_connection(*running.server.addresses[0], ssl=context))
        await client.send(get(sparse(tmp_path, size)))
        await client.until(b"\r\n\r\n")
        while size:
            size -= len(await asyncio.wait_for(client.reader.read(1_000_000), LONG))
            peak = max([peak, *(connection.unsent for connection in running.runtime.connections)])
        await client.close()
    assert peak < 4 * files.PIECE
