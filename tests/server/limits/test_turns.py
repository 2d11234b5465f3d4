"""Readers with a rest take turns, and between two turns the loop polls the other sockets."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvloop

from channels.server.limits.turns import GO_ON, ROUND, Turns
from tests.server.helpers import echo, serve


class Reader:
    """Has so many frames to parse, as many at a time as it is told."""

    def __init__(self, turns: Turns, name: str, log: list[str], left: int, at_once: int = 1) -> None:
        self.turns, self.name, self.log, self.left, self.at_once = turns, name, log, left, at_once

    def read_on(self) -> None:
        self.log.append(self.name)
        self.left -= 1
        self.turns.frames += self.at_once
        if self.left:
            self.turns.later(self)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_step_a_turn_in_their_order() -> None:
    turns, log = Turns(asyncio.get_running_loop()), list[str]()
    for name in "ab":
        turns.later(Reader(turns, name, log, 2))
    await asyncio.sleep(0)
    assert log == ["a", "b"]
    await settle()
    assert log == ["a", "b", "a", "b"]


async def test_a_turn_has_an_end_however_many_wait() -> None:
    turns, log = Turns(asyncio.get_running_loop()), list[str]()
    for name in "abc":
        turns.later(Reader(turns, name, log, 1, ROUND // 2))
    await asyncio.sleep(0)
    assert log == ["a", "b"]
    await asyncio.sleep(0)
    assert log == ["a", "b", "c"]


async def test_whoever_parses_nothing_counts_too() -> None:
    turns, log = Turns(asyncio.get_running_loop()), list[str]()
    for _ in range(1000):
        turns.later(Reader(turns, "x", log, 1, 0))
    await asyncio.sleep(0)
    assert len(log) == ROUND // GO_ON


async def test_one_that_raises_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def read_on(self) -> None:
            raise RuntimeError("broken")

    turns, log = Turns(asyncio.get_running_loop()), list[str]()
    turns.later(Broken())
    turns.later(Reader(turns, "a", log, 2))
    await settle()
    assert log == ["a", "a"]
    assert "broken" in caplog.text


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_between_two_turns_other_sockets_are_polled(new_loop: type) -> None:
    async def run() -> list[str]:
        loop, log = asyncio.get_running_loop(), list[str]()
        turns = Turns(loop)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            loop.add_reader(ours.fileno(), lambda: log.append(ours.recv(1).decode()))
            turns.later(Reader(turns, "turn", log, 5))
            theirs.send(b"!")
            await settle()
            loop.remove_reader(ours.fileno())
        return log

    loop = new_loop()
    try:
        log = loop.run_until_complete(run())
    finally:
        loop.close()
    assert log.count("turn") == 5
    assert "!" in log[:3]


@pytest.mark.parametrize(("chunks", "rests"), [(50, 0), (500, 1)])
async def test_a_body_that_is_parsed_whole_needs_no_further_turn(
    chunks: int, rests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leaving a socket unread and reading it again costs as much as a small request."""
    asked: list[object] = []
    later = Turns.later
    monkeypatch.setattr(Turns, "later", lambda turns, reader: [asked.append(reader), later(turns, reader)])
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serve(echo) as running:
        client = await running.connect()
        await client.send(
            head + b"64\r\n" + b"x" * 100 + b"\r\n" + b"a\r\n0123456789\r\n" * chunks + b"0\r\n\r\n"
        )
        assert (await client.response())[0] == 200
    assert (len(asked) > 0) == bool(rests)
