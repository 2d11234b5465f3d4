"""A link against a server that misbehaves as real ones do not on demand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from channels.layers.redis.connect import pipeline as link_module
from channels.layers.redis.connect.pipeline import PipelinedConnection, SubscriptionConnection
from tests.layers.redis.tools import PATIENCE, until


class Server:
    """Answers as the test says, command by command."""

    def __init__(self):
        self.writers = []
        self.received = b""

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc):
        for writer in self.writers:
            writer.close()
        self.server.close()
        await self.server.wait_closed()

    async def _serve(self, reader, writer):
        self.writers.append(writer)
        while data := await reader.read(65536):
            self.received += data

    def say(self, data):
        self.writers[-1].write(data)

    async def connection(self):
        host, port = self.server.sockets[0].getsockname()
        silent = ("driver_info",) if redis.VERSION >= (8,) else ("lib_name", "lib_version")
        options: dict[str, Any] = {
            "protocol": 2,
            "socket_timeout": None,
            **dict.fromkeys(silent),
        }  # it says nothing of itself
        connection = Connection(host=host, port=port, **options)
        await connection.connect()
        await until(lambda: self.writers)
        return connection


@pytest.fixture
async def server():
    async with Server() as server:
        yield server


async def done(future):
    return await asyncio.wait_for(future, PATIENCE)


async def test_replies_are_matched_in_order_and_commands_leave_together(server):
    link = PipelinedConnection(await server.connection(), PATIENCE)
    first, second = link.execute("GET", "a"), link.execute("GET", "b")
    await until(lambda: server.received.count(b"GET") == 2)
    server.say(b"+one\r\n-ERR two\r\n")
    assert await done(first) == b"one"
    with pytest.raises(ResponseError, match="two"):
        await done(second)
    await link.aclose()
    with pytest.raises(ConnectionError, match="closed"):
        await done(link.execute("GET", "c"))


async def test_no_reply_in_time_ends_the_link(server):
    lost = []
    link = PipelinedConnection(await server.connection(), 0.05, lost.append)
    with pytest.raises(RedisTimeoutError, match=r"No reply within 0.05 seconds"):
        await done(link.execute("GET", "a"))
    assert lost == [link.lost]


async def test_replies_in_time_keep_the_link(server):
    """The time of the oldest command is over; what waits now was written later."""
    link = PipelinedConnection(await server.connection(), PATIENCE)
    for _ in range(4):
        reply = link.execute("GET", "a")
        link._timer.cancel()
        link._check()
        assert link._timer.when() > asyncio.get_running_loop().time()
        server.say(b"+ok\r\n")
        assert await done(reply) == b"ok"
    link._timer.cancel()
    link._check()
    assert (link.lost, link._timer) == (None, None)
    await link.aclose()


async def test_whoever_waits_no_more_is_passed_over(server):
    link = PipelinedConnection(await server.connection(), PATIENCE)
    first, second = link.execute("GET", "a"), link.execute("GET", "b")
    first.cancel()
    server.say(b"+one\r\n+two\r\n")
    assert await done(second) == b"two"
    third = link.execute("GET", "c")
    third.cancel()
    await link.aclose()


async def test_a_demoted_master_ends_the_link(server):
    link = PipelinedConnection(await server.connection(), PATIENCE)
    reply = link.execute("SET", "a", "b")
    server.say(b"-READONLY You can't write against a read only replica.\r\n")
    with pytest.raises(ConnectionError, match="takes no writes any more") as caught:
        await done(reply)
    assert not isinstance(caught.value, ReadOnlyError)
    assert link.lost is not None


async def test_too_many_commands_without_replies(server, monkeypatch):
    monkeypatch.setattr(link_module, "MAX_PENDING", 2)
    link = PipelinedConnection(await server.connection(), PATIENCE)
    link.execute("GET", "a")
    link.execute("GET", "b")
    with pytest.raises(ConnectionError, match="2 commands wait"):
        await done(link.execute("GET", "c"))
    await link.aclose()


async def test_the_end_of_a_loop_ends_its_links(server):
    lost = []
    link = PipelinedConnection(await server.connection(), PATIENCE, lost.append)
    reply = link.execute("GET", "a")
    link._reader.cancel()
    with pytest.raises(ConnectionError, match="event loop of the connection has ended"):
        await done(reply)
    assert isinstance(lost[0], asyncio.CancelledError)


class Heard:
    def __init__(self):
        self.messages, self.changes, self.lost = [], [], []

    async def link(self, server, timeout=PATIENCE):
        return SubscriptionConnection(
            await server.connection(),
            timeout,
            lambda *message: self.messages.append(message),
            lambda *change: self.changes.append(change),
            self.lost.append,
            sharded=False,
        )


async def test_messages_and_changes_are_told(server):
    heard = Heard()
    link = await heard.link(server)
    link.subscribe(b"t")
    link.subscribe(b"u")
    await until(lambda: server.received.count(b"SUBSCRIBE") == 2)
    server.say(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nt\r\n:1\r\n-NOPERM no\r\n-ERR out of the blue\r\n")
    server.say(b"*3\r\n$7\r\nmessage\r\n$1\r\nt\r\n$2\r\nhi\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nt\r\n:0\r\n")
    await until(lambda: len(heard.changes) == 3)
    assert heard.messages == [(b"t", b"hi")]
    assert heard.changes[0] == (b"t", True) and heard.changes[2] == (b"t", False)
    assert heard.changes[1][0] == b"u" and isinstance(heard.changes[1][1], ResponseError)
    await link.aclose()


async def test_silence_is_asked_about_and_then_ends_the_link(server):
    heard = Heard()
    link = await heard.link(server, timeout=0.05)
    await until(lambda: b"PING" in server.received)
    server.say(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n")
    await until(lambda: server.received.count(b"PING") >= 2)
    await until(lambda: heard.lost)
    assert isinstance(heard.lost[0], RedisTimeoutError)
    await link.caught_up()  # there is nothing to wait for any more


async def test_catching_up_ends_with_the_link(server):
    heard = Heard()
    link = await heard.link(server)
    waiting = asyncio.ensure_future(link.caught_up())
    given_up = asyncio.ensure_future(link.caught_up())
    await until(lambda: server.received.count(b"PING") == 2)
    given_up.cancel()
    server.writers[-1].close()
    await done(waiting)


async def test_a_link_that_is_closed_before_it_began_to_read_closes_its_connection(server):
    connection = await server.connection()
    link = PipelinedConnection(connection, PATIENCE)
    await link.aclose()
    await until(lambda: not connection.is_connected)
