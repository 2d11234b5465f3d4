"""Chromium over TLS: the page by HTTP/2, and a WebSocket on the same connection (RFC 8441)."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.typing import Receive, Scope, Send
from tests.server.helpers import serve
from tests.support.certificates import make_pair

PAGE = b"""<!doctype html><p id=x>waiting</p><script>
const socket = new WebSocket("wss://" + location.host + "/ws/");
socket.binaryType = "arraybuffer";
socket.onopen = () => socket.send("hello ".repeat(1000));
socket.onmessage = event => fetch("/report?" + event.data.length + "," + socket.extensions.length);
</script>"""


@contextlib.asynccontextmanager
async def browsing(url: str) -> AsyncIterator[None]:
    """A browser that opens a page, whoever signed its certificate."""
    # Not under tmp_path: a browser that is being ended still writes there.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--ignore-certificate-errors",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            url,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.terminate()
            await process.wait()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
async def test_page_and_websocket(tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    scopes: list[Scope] = []
    reported: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                await send({**message, "type": "websocket.send"})
            return
        if scope["path"] == "/report" and not reported.done():
            reported.set_result(scope["query_string"].decode())
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE})

    async with serve(app, endpoints=(pair.endpoint,), websocket_deflate=True) as running:
        host, port = running.server.addresses[0]
        async with browsing(f"https://{host}:{port}/"):
            size, extensions = (await asyncio.wait_for(reported, 60)).split(",")
    assert (int(size), int(extensions) > 0) == (6000, True)
    assert {scope["http_version"] for scope in scopes} == {"2"}
    websockets = [scope for scope in scopes if scope["type"] == "websocket"]
    assert [scope["scheme"] for scope in websockets] == ["wss"]
