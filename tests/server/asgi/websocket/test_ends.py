"""How a WebSocket ends, in its application's place too, and what is told of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from channels import telemetry
from channels.core.broadcast import Broadcast
from tests.server.helpers import UPGRADE, Recorder, close_frame, eventually, frame, opened, serve, stream_of


@contextlib.contextmanager
def results() -> Iterator[list[str]]:
    """What became of handshakes, as it is told to whoever listens."""
    heard: list[str] = []

    def listen(fact: str, values: Any) -> None:
        if fact == "server.handshake_finished":
            heard.append(values["result"])

    detach = telemetry.attach(listen)
    try:
        yield heard
    finally:
        detach()


async def test_a_stop_refuses_whoever_waits_and_closes_the_others() -> None:
    app = Recorder()
    with results() as heard:
        async with serve(app, drain_timeout=1) as running:
            client, run = await opened(running, app)
            waiting = await running.connect()
            await waiting.send(UPGRADE)
            late = await app.next()
            assert [stream.unanswered for stream in running.streams].count(True) == 1
            stopping = asyncio.ensure_future(running.server.stop())
            assert (await waiting.response())[0] == 503
            code, reason = await client.message()
            assert (code, reason[:2]) == (8, (1012).to_bytes(2, "big"))
            for each in (run, late):
                each.end()
            await client.close()
            await waiting.close()
            await stopping
    assert sorted(heard) == ["accepted", "failed"]


async def test_it_can_be_closed_in_its_applications_place_while_it_is_open() -> None:
    app = Recorder()
    async with serve(app) as running:
        client, run = await opened(running, app)
        stream = stream_of(running)
        assert stream.end(4000, "enough")
        assert not stream.end(4000, "once more")
        assert await client.message() == (8, (4000).to_bytes(2, "big") + b"enough")
        await client.send(close_frame(4000))
        assert (await run.receive())["code"] == 4000
        run.end()


@pytest.mark.parametrize(("leaves", "expected"), [(True, "left"), (False, "refused")])
async def test_what_became_of_a_handshake_is_told(leaves: bool, expected: str) -> None:
    app = Recorder()
    with results() as heard:
        async with serve(app) as running:
            client = await running.connect()
            await client.send(UPGRADE)
            run = await app.next()
            if leaves:
                client.reset()
            else:
                await run.send({"type": "websocket.close"})
            await eventually(lambda: heard)
            run.end()
    assert heard == [expected]


@pytest.mark.parametrize("accepted", [True, False])
async def test_each_step_is_a_line_of_the_access_log(accepted: bool) -> None:
    lines: list[tuple[str, str, Any]] = []

    def log(protocol: str, action: str, details: dict[str, Any]) -> None:
        lines.append((protocol, action, details.get("status")))

    app = Recorder()
    async with serve(app, action_logger=log) as running:
        if accepted:
            client, run = await opened(running, app)
            await client.send(close_frame())
            await client.message()
        else:
            client = await running.connect()
            await client.send(UPGRADE)
            run = await app.next()
            await run.send({"type": "websocket.close"})
            await client.response()
        run.end()
    wanted = [("connected", None), ("disconnected", None)] if accepted else [("rejected", 403)]
    assert lines == [("websocket", action, status) for action, status in [("connecting", None), *wanted]]


async def test_messages_for_many_are_written_past_the_application() -> None:
    app = Recorder()
    broadcast = Broadcast([{"type": "websocket.send", "text": "for all"}])
    async with serve(app) as running:
        client, run = await opened(running, app)
        stream = stream_of(running)
        assert stream.write_broadcast(broadcast)
        assert await client.message() == (1, b"for all")
        await client.send(frame(b"answer"))
        assert (await run.receive())["text"] == "answer"
        await run.send({"type": "websocket.close"})
        assert not stream.write_broadcast(broadcast)
        run.end()
