"""How much is done for one request: counted, so that it does not creep up."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import Any

import pytest
from h2.events import StreamEnded

from channels.protocols.http1.head_cache import HeadCache
from channels.protocols.http1.response import ResponseWriter
from channels.server.asgi import response
from channels.typing import Receive, Scope, Send
from tests.server.helpers import GET, Client, Running, serve
from tests.support.http2_client import GET as HTTP2_GET
from tests.support.http2_client import H2Client

_REQUESTS = 20


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


class Counting:
    """A transport that counts what is done to it."""

    def __init__(self, transport: Any, counts: Counter[str]) -> None:
        self._transport = transport
        self._counts = counts

    def __getattr__(self, name: str) -> Any:
        self._counts[name] += 1
        return getattr(self._transport, name)


async def ask(client: Client, count: int) -> None:
    """Ask without a task of our own: they are counted."""
    for _ in range(count):
        client.writer.write(GET)
        await client.reader.readuntil(b"\r\n\r\n")
        assert await client.reader.readexactly(5) == b"hello"


def count_work(running: Running) -> Counter[str]:
    """Count what the one connection does from now on."""
    counts: Counter[str] = Counter()
    runtime = running.runtime
    (connection,) = runtime.connections
    connection._transport = Counting(connection._transport, counts)
    schedule, loop = runtime.timers.schedule, runtime.loop

    def counted_schedule(item: Any, when: float) -> None:
        counts["schedule"] += 1
        schedule(item, when)

    def counted_task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        counts["task"] += 1
        return asyncio.Task(coro, loop=loop, **options)

    runtime.timers.schedule = counted_schedule
    loop.set_task_factory(counted_task)
    return counts


async def test_a_request_takes_one_task_one_write_and_no_timer() -> None:
    async with serve(hello) as running:
        client = await running.connect()
        await ask(client, 1)
        counting = count_work(running)
        await ask(client, _REQUESTS)
        running.runtime.loop.set_task_factory(None)
        counts = counting.copy()  # before the connection is closed
    assert counts["write"] == _REQUESTS
    assert counts["task"] == _REQUESTS
    assert counts["schedule"] == 0
    assert not {"pause_reading", "resume_reading", "get_write_buffer_size"} & counts.keys()


async def test_a_head_that_comes_again_is_not_read_again() -> None:
    async with serve(hello) as running:
        client = await running.connect()
        await ask(client, 1)
        (connection,) = running.runtime.connections
        engine: Any = connection.handler._engine
        engine._known, calls, read_head = HeadCache(), [], engine._read_head
        engine._read_head = lambda head: calls.append(head) or read_head(head)
        await ask(client, _REQUESTS)
    assert len(calls) == 1


async def test_a_response_that_says_the_same_again_is_not_checked_again(monkeypatch: Any) -> None:
    calls: list[Any] = []
    for name in ("send_response", "send_data", "end_message"):
        monkeypatch.setattr(ResponseWriter, name, recording(getattr(ResponseWriter, name), calls))
    monkeypatch.setattr(response, "checked_headers", recording(response.checked_headers, calls))
    async with serve(hello) as running:
        client = await running.connect()
        await ask(client, 1)
        calls.clear()
        await ask(client, _REQUESTS)
    assert calls == []


async def test_headers_that_come_again_are_not_checked_again_over_http2(monkeypatch: Any) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(response, "checked_headers", recording(response.checked_headers, calls))
    async with serve(hello) as running:
        reader, writer = await asyncio.open_connection(*running.server.addresses[0])
        client = H2Client(reader, writer)
        client.h2.initiate_connection()
        await ask_http2(client, range(1, 1 + 2 * _REQUESTS, 2))
        writer.close()
    assert calls == []


def recording(function: Any, calls: list[Any]) -> Any:
    """The same function, but it says when it is called."""

    def called(*arguments: Any) -> Any:
        calls.append(function)
        return function(*arguments)

    return called


async def ask_http2(client: Any, stream_ids: range) -> None:
    """Ask for one page after the other, without a task of our own."""
    for stream_id in stream_ids:
        client.h2.send_headers(stream_id, HTTP2_GET, end_stream=True)
        client.writer.write(client.h2.data_to_send())
        ended = False
        while not ended:
            events = client.h2.receive_data(await client.reader.read(65536))
            ended = any(isinstance(event, StreamEnded) for event in events)


@pytest.mark.parametrize("engine", ["native", "h2"])
async def test_a_request_over_http2_takes_one_task_one_write_and_no_timer(engine: str) -> None:
    async with serve(hello, http2_engine=engine) as running:
        reader, writer = await asyncio.open_connection(*running.server.addresses[0])
        client = H2Client(reader, writer)
        client.h2.initiate_connection()
        await ask_http2(client, range(1, 3, 2))
        counting = count_work(running)
        await ask_http2(client, range(3, 3 + 2 * _REQUESTS, 2))
        running.runtime.loop.set_task_factory(None)
        counts = counting.copy()
        (connection,) = running.runtime.connections
        assert not connection.handler._exchanges
        writer.close()
    assert counts["write"] == _REQUESTS
    assert counts["task"] == _REQUESTS
    # Not of a request: one look at the time limits of the whole connection each second.
    assert counts["schedule"] < _REQUESTS


async def test_a_request_leaves_nothing_to_the_garbage_collector() -> None:
    async with serve(hello) as running:
        client = await running.connect()
        await ask(client, 1)
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            await ask(client, _REQUESTS)
            await asyncio.sleep(0)
            gc.collect()
            ours = [thing for thing in gc.garbage if type(thing).__module__.startswith("channels.")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
    assert ours == []
