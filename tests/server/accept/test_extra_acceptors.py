"""While many connections wait there are more acceptors, and one when they come one by one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import uvloop

from channels.server.accept import extra_acceptors as module
from channels.server.accept.extra_acceptors import MORE, ExtraAcceptors
from channels.server.config import Config
from channels.server.io.send_progress import unacknowledged
from channels.server.runtime import Runtime
from channels.server.server import Server
from tests.server.helpers import GET, echo, eventually

linux = pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="only Linux tells how many wait")


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as sock:
        sock.setblocking(False)
        yield sock


@pytest.fixture
def waiting(listening: socket.socket) -> Iterator[list[socket.socket]]:
    """Clients that nobody has accepted."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(listening.getsockname()))
            for _ in range(module._WAITING)
        ]


class Heard(asyncio.Protocol):
    """Counts the connections that were made."""

    made = 0

    def connection_made(self, transport: Any) -> None:
        Heard.made += 1
        transport.close()


async def acceptors_of(sock: socket.socket) -> ExtraAcceptors:
    """Acceptors of which the first is deaf, so that those who wait go on waiting."""
    runtime = Runtime(Config(app=echo), asyncio.get_running_loop())

    async def listen(each: socket.socket) -> asyncio.AbstractServer:
        return await runtime.loop.create_server(Heard, sock=each, start_serving=each is not sock)

    made = ExtraAcceptors(runtime, sock, listen)
    await made.open()
    return made


def crowd(acceptors: ExtraAcceptors) -> None:
    acceptors._runtime.accepted += module._CAME


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@linux
def test_how_many_wait_is_known(listening: socket.socket, waiting: list[socket.socket]) -> None:
    assert unacknowledged(listening) == len(waiting)


@linux
async def test_where_many_come_and_wait_there_are_more(
    listening: socket.socket, waiting: list[socket.socket]
) -> None:
    acceptors = await acceptors_of(listening)
    Heard.made = 0
    before = descriptors()
    acceptors.look()
    await asyncio.sleep(0)
    assert acceptors.more == []  # they wait, but few have come
    crowd(acceptors)
    acceptors.look()
    crowd(acceptors)
    acceptors.look()
    await eventually(lambda: Heard.made == len(waiting))
    assert len(acceptors.more) == MORE
    assert descriptors() == before + MORE
    acceptors.look()
    assert acceptors.more == []
    await eventually(lambda: descriptors() == before)
    acceptors.close()
    acceptors._runtime.timers.close()


@linux
async def test_where_nobody_waits_one_is_enough(listening: socket.socket) -> None:
    acceptors = await acceptors_of(listening)
    crowd(acceptors)
    acceptors.look()
    await asyncio.sleep(0)
    assert acceptors.more == []
    acceptors.close()
    assert acceptors.look not in acceptors._runtime.timers.at_tick
    acceptors._runtime.timers.close()


@linux
async def test_without_descriptors_fewer_will_do(
    listening: socket.socket, waiting: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    acceptors = await acceptors_of(listening)
    own, before = acceptors._listen, descriptors()

    async def listen(sock: socket.socket) -> asyncio.AbstractServer:
        if len(acceptors.more) == 2:
            raise OSError("Too many open files")
        return await own(sock)

    monkeypatch.setattr(acceptors, "_listen", listen)
    crowd(acceptors)
    acceptors.look()
    await eventually(lambda: len(acceptors.more) == 2)
    assert descriptors() <= before + 2
    acceptors.close()
    acceptors._runtime.timers.close()


@linux
def test_a_server_in_a_crowd_answers_all_and_stops_with_all_its_acceptors() -> None:
    """A real server of uvloop: more come than one turn accepts, twice."""

    async def scenario() -> None:
        server = Server(Config(app=echo, endpoints=("tcp:port=0:interface=127.0.0.1",)))
        await server.start()
        (acceptors,) = server._listeners
        assert isinstance(acceptors, ExtraAcceptors)
        host, port = server.addresses[0]

        async def ask() -> bytes:
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(GET)
            answer = await reader.readuntil(b"\r\n")
            writer.close()
            return answer

        before = descriptors()
        crowd(acceptors)
        # Nobody is accepted before the loop's next turn, so all of these wait.
        waiting = [socket.create_connection((host, port)) for _ in range(module._WAITING)]
        acceptors.look()
        await eventually(lambda: len(acceptors.more) == MORE)
        assert set(await asyncio.gather(*(ask() for _ in range(200)))) == {b"HTTP/1.1 200 OK\r\n"}
        for sock in waiting:
            sock.close()
        await server.stop()
        await eventually(lambda: descriptors() < before)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, port))

    uvloop.run(scenario())
