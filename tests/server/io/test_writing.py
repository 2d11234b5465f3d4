"""What is written in one turn of the loop leaves in one piece."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.server.io.writing import EndOfTurn, WritingHalf


class Transport:
    """Keeps what it is given to write."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return 100


class Writer(WritingHalf):
    """A half without the other."""

    def __init__(self, most_collected: int = 10) -> None:
        self.closing = False
        self._end_of_turn = EndOfTurn(asyncio.get_running_loop(), most_collected)
        self._out, self._behind = b"", None
        self.transport = Transport()
        transport: Any = self.transport
        self._transport = transport


async def test_a_turn_is_one_write() -> None:
    writer = Writer()
    for data in (b"a", b"", b"b", b"c"):
        writer.write(data)
    assert (writer.transport.written, writer.unsent) == ([], 103)
    await asyncio.sleep(0)
    assert (writer.transport.written, writer.unsent) == ([b"abc"], 100)
    writer.write(b"d")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert writer.transport.written == [b"abc", b"d"]


async def test_nothing_is_written_where_nothing_was_said() -> None:
    writer = Writer()
    writer.write(b"")
    writer.flush()
    await asyncio.sleep(0)
    assert writer.transport.written == []


async def test_a_turn_that_writes_much_does_not_collect_it() -> None:
    writer = Writer(most_collected=10)
    writer.write(b"x" * 11)
    assert writer.transport.written == [b"x" * 11]
    writer.write(b"y" * 9)
    writer.write(b"zz")
    assert writer.transport.written[1:] == [b"y" * 9 + b"zz"]
    await asyncio.sleep(0)
    assert len(writer.transport.written) == 2


async def test_what_cannot_wait_takes_along_what_was_collected() -> None:
    writer = Writer()
    writer.write_now(b"a")
    writer.write(b"b")
    writer.write_now(b"c")
    assert writer.transport.written == [b"a", b"bc"]


async def test_behind_the_close_nothing_is_written() -> None:
    writer = Writer()
    writer.write(b"a")
    writer.discard_output()
    writer.closing = True
    writer.write(b"b")
    writer.write_now(b"c")
    assert writer.unsent == 0
    await asyncio.sleep(0)
    assert writer.transport.written == []


async def test_many_writers_share_a_turn() -> None:
    writers, loop = [Writer() for _ in range(3)], asyncio.get_running_loop()
    end_of_turn = EndOfTurn(loop, 1)
    for writer in writers:
        writer._end_of_turn = end_of_turn
        writer.write(b"a")
    await asyncio.sleep(0)
    assert [writer.transport.written for writer in writers] == [[b"a"]] * 3
