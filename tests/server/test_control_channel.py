"""A worker's line to its supervisor."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from channels.server.config import Config
from channels.server.control_channel import END, READY, VARIABLE, SupervisorLink
from channels.server.server import Server
from channels.typing import ASGIApp
from tests.server.helpers import GET, LONG, Client, Recorder, echo, records


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_no_supervisor_no_supervisor_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert SupervisorLink.take() is None
    assert signal.getsignal(signal.SIGINT) != signal.SIG_IGN


def test_a_supervisor_link_is_taken_once_and_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    listening = socket.create_server(("127.0.0.1", 0))
    for sock in (theirs, listening):
        sock.set_inheritable(True)
    told: dict[str, Any] = {"number": 3, "line": theirs.detach(), "sockets": [[], [listening.fileno()]]}
    monkeypatch.setenv(VARIABLE, json.dumps(told))
    supervisor_link = SupervisorLink.take()
    assert supervisor_link is not None and supervisor_link.number == 3
    assert SupervisorLink.take() is None
    assert not os.get_inheritable(told["line"]) and not listening.get_inheritable()
    assert signal.getsignal(signal.SIGINT) == signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    (sock,) = supervisor_link.sockets(1)
    assert sock.getsockname() == listening.getsockname() and not sock.getblocking()
    assert supervisor_link.sockets(0) == []
    sock.detach()
    listening.close()
    ours.close()
    supervisor_link.ready()


class Desk:
    """A server of this process under a supervisor that the test plays."""

    def __init__(self, app: ASGIApp = echo) -> None:
        self.line, theirs = socket.socketpair()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.line.settimeout(LONG)
        supervisor_link = SupervisorLink(1, theirs, [[os.dup(self.listening.fileno())]])
        config = Config(app=app, endpoints=("tcp:1",), lifespan="off", drain_timeout=None)
        self.server = Server(config, supervisor_link)
        self.serving = asyncio.ensure_future(self.server.serve())

    async def ready(self) -> None:
        assert await asyncio.to_thread(self.line.recv, 1) == READY

    async def client(self) -> Client:
        return Client(*await asyncio.open_connection(*self.listening.getsockname()))

    async def ended(self) -> None:
        await asyncio.wait_for(self.serving, LONG)
        self.listening.close()
        self.line.close()


async def test_it_serves_from_the_inherited_socket_and_leaves_it_open() -> None:
    desk = Desk()
    await desk.ready()
    client = await desk.client()
    await client.send(GET)
    assert (await client.response())[0] == 200
    await client.close()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(desk.serving, LONG)
    # Whoever connects now waits for the next worker, and is not refused.
    await (await desk.client()).close()
    await desk.ended()


async def test_sigterm_again_is_no_hurry_but_end_is() -> None:
    app = Recorder()
    desk = Desk(app)
    await desk.ready()
    client = await desk.client()
    await client.send(GET)
    run = await app.next()
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.02)
    assert not desk.serving.done()
    desk.line.send(END)
    await desk.ended()
    assert run.finished.is_set()
    await client.close()


async def test_without_its_supervisor_it_drains(caplog: pytest.LogCaptureFixture) -> None:
    app = Recorder()
    desk = Desk(app)
    await desk.ready()
    client = await desk.client()
    await client.send(GET)
    run = await app.next()
    desk.line.close()
    await run.respond(b"finished")
    assert (await client.response())[2] == b"finished"
    run.end()
    await client.close()
    await desk.ended()
    assert records(caplog) == ["The supervisor is gone: worker 1 drains and ends."]


async def test_a_line_that_was_reset_is_a_supervisor_that_is_gone() -> None:
    desk = Desk()
    # Closed with something unread in it, a socket pair answers with a reset.
    await asyncio.sleep(0)
    desk.server._supervisor_link.ready()
    desk.line.close()
    await desk.ended()
