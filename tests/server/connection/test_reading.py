"""Whether a connection is read, and how far ahead of whoever takes it; over a real socket.

That the application behind it is told of its peer's end is in ``io/test_closed_peers.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels.server.io.closed_peers import AHEAD, SPARE
from channels.server.limits.turns import FULL_READ
from tests.server.helpers import Client, echo, eventually, serve


class Taker:
    """A handler that keeps what it is told."""

    def __init__(self) -> None:
        self.data = b""
        self.told: list[str] = []

    def data_received(self, data: bytes) -> None:
        self.data += data

    def read_on(self) -> None:
        self.told.append("read on")

    def eof_received(self) -> bool:
        self.told.append("eof")
        return True

    def peer_closed(self) -> None:
        self.told.append("closed")

    def connection_lost(self) -> None:
        self.told.append("lost")

    def stop(self) -> None:
        """It has nothing to finish."""


@pytest.fixture
async def read() -> AsyncIterator[tuple[Any, Taker, Client]]:
    """A connection, its handler and its peer."""
    async with serve(echo) as running:
        client = await running.connect()
        await eventually(lambda: running.runtime.connections)
        (connection,) = running.runtime.connections
        taker = connection.handler = Taker()
        yield connection, taker, client
        connection.abort()


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0.001)


async def test_what_a_paused_connection_is_sent_stays_in_the_kernel(read: Any) -> None:
    connection, taker, client = read
    connection.pause_reading()
    connection.pause_reading()
    assert len(connection.runtime.closed_peers) == 1
    await client.send(b"waits")
    await turns()
    assert taker.data == b""
    connection.resume_reading()
    connection.resume_reading()
    await eventually(lambda: taker.data == b"waits")
    assert len(connection.runtime.closed_peers) == 0


@pytest.mark.parametrize("over", ["closing", "finished"])
async def test_nothing_is_paused_that_sends_nothing_more(read: Any, over: str) -> None:
    connection, _, _ = read
    setattr(connection, over, True)
    connection.pause_reading()
    assert len(connection.runtime.closed_peers) == 0
    setattr(connection, over, False)


async def test_the_rest_of_a_read_has_its_turn_later(read: Any) -> None:
    connection, taker, client = read
    connection.read_later()
    connection.read_later()
    client.write(b"behind the rest")
    assert taker.told == []
    await eventually(lambda: taker.data)
    assert taker.told == ["read on"]


async def test_a_full_read_ends_the_turn(read: Any) -> None:
    connection, taker, _ = read
    connection.data_received(b"x" * FULL_READ)
    assert taker.told == []
    await turns()
    assert taker.told == ["read on"]


async def test_a_rest_of_a_connection_that_was_closed_meanwhile_is_dropped(read: Any) -> None:
    connection, taker, _ = read
    connection.read_later()
    connection.abort()
    await turns()
    assert taker.told == ["lost"]
    connection.read_later()
    connection.resume_reading()
    await turns()
    assert taker.told == ["lost"]


async def test_a_peer_that_has_reset_is_gone(read: Any) -> None:
    connection, taker, _ = read
    connection.pause_reading()
    connection.peer_closed(reset=True)
    await eventually(lambda: taker.told == ["lost"])


async def test_a_small_rest_before_a_close_is_read(read: Any) -> None:
    connection, taker, client = read
    connection.pause_reading()
    await client.send(b"the last words")
    client.writer.write_eof()
    await turns()
    connection.peer_closed(reset=False)
    await eventually(lambda: "eof" in taker.told)
    assert taker.data == b"the last words"
    connection.peer_closed(reset=False)
    assert taker.told == ["eof", "closed"], "what is read is told once more, for who takes it late"
    connection.pause_reading()
    connection.close()
    told = [*taker.told]
    connection.peer_closed(reset=False)
    assert taker.told == told, "whoever has closed need not be told"


async def test_a_large_rest_is_only_told_of(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, taker, _ = read
    monkeypatch.setattr("channels.server.connection.reading.unread_bytes", lambda fileno: AHEAD + 1)
    connection.pause_reading()
    connection.peer_closed(reset=False)
    connection.peer_closed(reset=False)
    assert taker.told == ["closed", "closed"]


async def test_some_is_read_ahead_so_that_a_close_can_come(read: Any) -> None:
    connection, taker, client = read
    assert not connection.read_ahead(), "it is read"
    connection.pause_reading()
    assert connection.read_ahead()
    assert not connection.read_ahead(), "it is read ahead"
    await client.send(b"x" * 1000)
    await eventually(lambda: len(taker.data) == 1000)
    assert connection.runtime.closed_peers.spare == SPARE - 1000
    connection.resume_reading()
    assert connection.runtime.closed_peers.spare == SPARE


@pytest.mark.parametrize("limit", ["its own", "that of all"])
async def test_what_is_read_ahead_has_a_limit(read: Any, limit: str) -> None:
    connection, taker, client = read
    connection.pause_reading()
    if limit == "that of all":
        connection.runtime.closed_peers.read_ahead(SPARE - 1000)
    assert connection.read_ahead()
    client.write(b"x" * 8 * AHEAD)
    await eventually(lambda: len(taker.data) >= (AHEAD if limit == "its own" else 1000))
    await turns()
    read_ahead = len(taker.data)
    await turns()
    assert len(taker.data) == read_ahead < 3 * AHEAD
    if limit == "its own":
        assert not connection.read_ahead()
    connection.abort()
    await eventually(lambda: "lost" in taker.told)


async def test_a_close_is_looked_for_on_demand(read: Any) -> None:
    connection, _, _ = read
    connection.watch_for_close()
    assert len(connection.runtime.closed_peers) == 1


async def test_the_descriptor_while_there_is_one(read: Any) -> None:
    connection, _, _ = read
    assert connection.fileno >= 0

    class Bare:
        def get_extra_info(self, name: str) -> None:
            return None

    connection._transport, transport = Bare(), connection._transport
    assert connection.fileno == -1
    connection._transport = transport
